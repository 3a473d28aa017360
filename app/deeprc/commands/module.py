"""`deeprc module …`."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, Literal

import typer

from deeprc.core.commandline import CommandLine
from deeprc.images.shared import unreadable
from deeprc.modules import release as releases
from deeprc.modules.images import publish_images
from deeprc.modules.install import install as install_release
from deeprc.modules.release import Release, System
from deeprc.sites import load_site, sites_folder

app = CommandLine(no_args_is_help=True, help="Modules that a facility publishes.")
SiteName = Annotated[str, typer.Option("--site", help="a known site, or the path of a site.yaml")]
Prefix = Annotated[Path, typer.Option("--prefix", help="the facility's folder for releases and modulefiles")]
Version = Annotated[str | None, typer.Option("--version", help="of the module; Deep RC's own, if not given")]
Only = Annotated[Literal["lmod", "tcl"] | None, typer.Option("--system", help="write for this one only")]
Default = Annotated[bool, typer.Option(help="make it the version that `module load deeprc` loads")]


@app.command()
def write(
    site: SiteName, prefix: Prefix, version: Version = None, system: Only = None, default: Default = True
) -> None:
    """Write modulefiles for the Deep RC that runs this command, which must stay where it is.

    Example: `deeprc module write --site anvil --prefix /apps/deeprc`, then `module use /apps/deeprc/modulefiles`
    """
    release = _release(prefix, version)
    checkout = sites_folder().resolve().parent
    releases.lay_out(release, Path(sys.prefix) / "bin" / "python", checkout, copy=False, own=_own(site))
    _told(releases.publish(release, load_site(site), _systems(system)))
    if default:
        releases.set_default(release.prefix, release.version)


@app.command()
def install(
    site: SiteName,
    prefix: Prefix,
    version: Version = None,
    system: Only = None,
    default: Default = True,
    environment: Annotated[
        Path | None, typer.Option("--venv", help="a Python environment with Deep RC in it; made with pip, if not given")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="the checkout; this one, if not given")] = None,
) -> None:
    """Put a whole release under a prefix: environment, profiles, workflows, modulefiles, folder of shared images.

    Example: `deeprc module install --site anvil --prefix /apps/deeprc --venv /apps/deeprc/spack/venv`
    """
    checkout = source or sites_folder().resolve().parent
    _told(
        install_release(
            _release(prefix, version), load_site(site), checkout.absolute(), _systems(system),
            environment=environment, default=default, own=_own(site),
        )
    )  # fmt: skip


@app.command()
def images(site: SiteName, prefix: Prefix, version: Version = None, system: Only = None) -> None:
    """Write a module for each image in PREFIX/images that runs on the site: deeprc/0.1.0-cpu.

    Example: `deeprc module images --site anvil --prefix /apps/deeprc`
    """
    written, left = publish_images(_release(prefix, version), load_site(site), _systems(system))
    _told(written)
    for why in left:
        typer.echo(f"no module for {why}", err=True)


@app.command("list")
def show(prefix: Prefix) -> None:
    """List the published versions. Example: `deeprc module list --prefix /apps/deeprc`."""
    present, published = releases.defaults(prefix)[-1:], releases.versions(prefix)
    if not published:
        typer.echo(f"no version is published in {prefix}")
    for version in published:
        typer.echo(f"{version} (default)" if [version] == present else version)


@app.command("default")
def choose_default(version: Annotated[str, typer.Argument()], prefix: Prefix) -> None:
    """Make a published version the default. Example: `deeprc module default 0.2.0 --prefix /apps/deeprc`."""
    releases.set_default(prefix, version)


@app.command("rollback")
def rollback(prefix: Prefix) -> None:
    """Go back to the version that was the default before. Example: `deeprc module rollback --prefix /apps/deeprc`."""
    typer.echo(f"deeprc/{releases.roll_back(prefix)} is the default again")


def _own(site: str) -> Path | None:
    """The folder of a site that was given by its path, which the release must have beside the shipped ones."""
    path = Path(site).absolute()
    if (path / "site.yaml").is_file():
        return path
    return path.parent if path.is_file() else None


def _release(prefix: Path, version: str | None) -> Release:
    return Release(prefix.absolute(), version or installed_version("deeprc"))


def _systems(system: System | None) -> list[System]:
    return [system] if system else ["lmod", "tcl"]


def _told(paths: list[Path]) -> None:
    for path in paths:
        typer.echo(path)
    if paths and (why := unreadable(paths[0].parent)):
        typer.echo(f"notice: {why}", err=True)
