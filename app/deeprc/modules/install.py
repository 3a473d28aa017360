"""Putting a whole release under a prefix: all of it or nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deeprc.core.errors import ConfigError, DeepRCError, command
from deeprc.core.files import storage_error
from deeprc.core.needs import extras
from deeprc.core.source import PLUGIN, copy_source
from deeprc.modules.release import PARTS, Release, System, lay_out, publish, set_default
from deeprc.sites import Site


def install(
    release: Release,
    site: Site,
    source: Path,
    systems: list[System],
    *,
    environment: Path | None = None,
    default: bool = True,
    own: Path | None = None,
) -> list[Path]:
    """Install a release and publish it; return its modulefiles.

    Parameters
    ----------
    environment
        A Python environment with Deep RC in it (what `deeprc spack build` makes), which the release links to; None to
        make one with pip.
    default
        Whether `module load deeprc` loads it from now on.
    own
        The folder of a site that the checkout does not have.

    Raises
    ------
    ConfigError
        Where that version stands there already: what users have loaded is never changed.
    """
    if release.published:
        raise ConfigError(
            f"version {release.version} is published there already",
            where=release.prefix,
            fix="choose another one with --version (0.2.0-1 for the same release, set up anew)",
        )
    missing = [part for part in PARTS if part != "spack-env" and not (source / part).is_dir()]
    if missing:
        raise ConfigError("not a checkout of Deep RC", where=source, found=f"no {', '.join(missing)}")
    if environment is None and not (source / "pyproject.toml").is_file():
        raise ConfigError(
            "an environment can be made from a checkout only",
            where=source,
            found="no pyproject.toml: Deep RC was installed from a wheel",
            fix=f"give an environment with Deep RC in it (this one: {command('--venv', sys.prefix)}), or --source",
        )
    if release.folder.exists():  # an earlier try that did not come to its end
        shutil.rmtree(release.folder)
    try:
        release.make()
        python = _environment(release, source, environment)
        lay_out(release, python, source, copy=True, own=own)
        written = publish(release, site, systems)
    except OSError as error:
        shutil.rmtree(release.folder, ignore_errors=True)
        raise storage_error(error, release.folder) from error
    except BaseException:
        shutil.rmtree(release.folder, ignore_errors=True)
        raise
    if default:
        set_default(release.prefix, release.version)
    return written


def _environment(release: Release, source: Path, given: Path | None) -> Path:
    """The interpreter of the release's environment."""
    venv = release.folder / "venv"
    if given is not None:
        lacking = [name for name in ("python", "deeprc", "snakemake") if not os.access(given / "bin" / name, os.X_OK)]
        if lacking:
            raise ConfigError("not an environment with Deep RC", where=given, found=f"no bin/{lacking[0]}")
        venv.symlink_to(given.absolute())
        return venv / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        package = copy_source(source, Path(folder) / "source")
        wanted = f"{package}[{','.join(extras())}]"
        for command in (
            [sys.executable, "-m", "venv", str(venv)],
            [str(venv / "bin" / "pip"), "install", "--quiet", wanted, str(package / PLUGIN)],
        ):
            if (done := subprocess.run(command)).returncode:
                raise DeepRCError("the environment could not be made", where=venv, found=f"exit code {done.returncode}")
    return venv / "bin" / "python"
