"""A release under a facility's prefix, and which of them is the default.

    PREFIX/modulefiles/deeprc/   a Tcl and a Lua file per version, and per image for it (0.1.0-cpu);
                                 `.version`, which names the default
    PREFIX/releases/VERSION/     bin/ profiles/ site-configs/ workflows/ containers/ spack-env/ venv/
    PREFIX/releases/defaults     the versions that were the default, the present one last
    PREFIX/images/               images for all users; they only read it

A modulefile is the last thing written of a release: what users can load is whole.
"""

from __future__ import annotations

import re
import shlex
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deeprc.core.errors import ConfigError, unknown
from deeprc.core.files import atomic, storage_error
from deeprc.modules.text import Chosen, lmod, tcl
from deeprc.sites import Site

System = Literal["lmod", "tcl"]
COMMANDS = ("deeprc", "snakemake")
PARTS = ("site-configs", "workflows", "containers", "spack-env")  # of the checkout, that a release has
GENERATED = shutil.ignore_patterns("__pycache__", ".spack-env", ".snakemake")


@dataclass(frozen=True)
class Release:
    """A version under a prefix."""

    prefix: Path
    version: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d[\w.+-]*", self.version):
            raise ConfigError(
                "not a version that a module can have", found=self.version, expected="such as 0.2.0, or 0.2.0-gpu"
            )
        if odd := re.search(r"[^A-Za-z0-9_./+@%=,-]", str(self.prefix)):
            raise ConfigError(
                "not a prefix that module systems can take",
                where=self.prefix,
                found=repr(odd[0]),
                expected="letters and digits of ASCII and _ . / + @ % = , -",
                fix="Lmod reads no default there; paths are separated by colons: choose another one, or a link to it",
            )

    @property
    def folder(self) -> Path:
        return self.prefix / "releases" / self.version

    def make(self) -> None:
        """Make its folder."""
        if not self.prefix.exists():  # one that stands there already keeps the access that its facility chose
            made = [each for each in (self.prefix, *self.prefix.parents) if not each.exists()]
            self.prefix.mkdir(parents=True)
            for each in made:
                each.chmod(0o755)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def modulefiles(self) -> dict[System, Path]:
        """Lmod prefers the Lua file where both are there; Tcl modules sees the other one only."""
        return self.modulefiles_of(self.version)

    def modulefiles_of(self, name: str) -> dict[System, Path]:
        """Those of a module of that name, which may be that of an image."""
        folder = self.prefix / "modulefiles" / "deeprc"
        return {"lmod": folder / f"{name}.lua", "tcl": folder / name}

    @property
    def images(self) -> Path:
        """The folder of images for all users."""
        return self.prefix / "images"

    @property
    def published(self) -> bool:
        """Whether users can load it."""
        return any(path.is_file() for path in self.modulefiles.values())


def lay_out(release: Release, python: Path, source: Path, *, copy: bool, own: Path | None = None) -> None:
    """Make a release's folder: wrappers of the commands, the profiles, and the parts of the checkout.

    Parameters
    ----------
    python
        The environment's interpreter; the commands lie beside it.
    source
        The checkout.
    copy
        Whether its parts are copied; else the release links to them.
    own
        The folder of a site that the checkout does not have.
    """
    folder = release.folder
    try:
        release.make()
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            _place(source / part, folder / part, copy=copy)
        if own is not None:
            _place(own, folder / "site-configs" / own.name, copy=copy)
        # Snakemake looks for a profile `site/NAME` in the folder `snakemake` of the first of $XDG_CONFIG_DIRS, and
        # takes `../../workflows` in it by its letters, not through the link.
        profiles = folder / "profiles" / "snakemake"
        profiles.mkdir(parents=True, exist_ok=True)
        for name, target in (("site", "site-configs"), ("workflows", "workflows")):
            if not (profiles / name).is_symlink():
                (profiles / name).symlink_to(Path("../..") / target)
    except OSError as error:
        raise storage_error(error, folder) from error
    for command in COMMANDS:
        with atomic(folder / "bin" / command) as path:
            path.write_text(wrapper(release, python.parent / command))
            path.chmod(0o755)


def _place(source: Path, target: Path, *, copy: bool) -> None:
    """Copy a folder, or make one with links to what is in it."""
    if not source.is_dir() or target.exists():
        return
    if copy:
        shutil.copytree(source, target, ignore=GENERATED)
        return
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).symlink_to(path)


def wrapper(release: Release, program: Path) -> str:
    """The script that stands for a command.

    Other Python modules' settings stay outside, and only our Snakemake sees our profiles.
    """
    return (
        "#!/bin/sh\n"
        f"# Deep RC {release.version}\n"
        "unset PYTHONHOME PYTHONPATH\n"
        "export PYTHONNOUSERSITE=1\n"
        'XDG_CONFIG_DIRS="${DEEPRC_PROFILES:+$DEEPRC_PROFILES:}${XDG_CONFIG_DIRS:-/etc/xdg}"\n'
        "export XDG_CONFIG_DIRS\n"
        f'exec {shlex.quote(str(program))} "$@"\n'
    )


def publish(release: Release, site: Site, systems: list[System]) -> list[Path]:
    """Write the modulefiles; from then on users can load the release."""
    readable(release.folder)
    release.images.mkdir(exist_ok=True)
    for path in (release.folder.parent, release.images):
        path.chmod(path.stat().st_mode | 0o555)
    return write_modulefiles(release, site, systems, release.version)


def write_modulefiles(
    release: Release, site: Site, systems: list[System], name: str, chosen: Chosen | None = None
) -> list[Path]:
    """Write those of a module called `name`: the release's, or one for it that has an image chosen."""
    text, files = {"lmod": lmod, "tcl": tcl}, release.modulefiles_of(name)
    for system in systems:
        with atomic(files[system]) as path:
            path.write_text(text[system](name, release.folder, release.images, site, chosen))
    readable(release.prefix / "modulefiles")
    return [files[system] for system in systems]


def readable(folder: Path) -> None:
    """Let everybody read it and nobody but its owner change it, whatever the umask was."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            search = 0o111 if path.is_dir() or mode & stat.S_IXUSR else 0
            path.chmod((stat.S_IMODE(mode) | 0o444 | search) & ~0o022)


def versions(prefix: Path) -> list[str]:
    """The published versions, sorted.

    Raises
    ------
    ConfigError
        Where the prefix is not there.
    """
    if not prefix.is_dir():
        expected = "a folder with releases/ and modulefiles/"
        raise ConfigError("no such prefix", where=prefix, found="no folder", expected=expected)
    files = (prefix / "modulefiles" / "deeprc").glob("[0-9]*")
    return sorted({path.name.removesuffix(".lua") for path in files}, key=_order)


def defaults(prefix: Path) -> list[str]:
    """The versions that were the default, the present one last."""
    path = prefix / "releases" / "defaults"
    return path.read_text().split() if path.is_file() else []


def set_default(prefix: Path, version: str) -> None:
    """Make a published version the one that `module load deeprc` loads, from one moment to the next."""
    if version not in versions(prefix):
        raise unknown("version", version, versions(prefix), where=prefix)
    before = defaults(prefix)
    _switch(prefix, before if before[-1:] == [version] else [*before, version])


def roll_back(prefix: Path) -> str:
    """Make the version the default that was it before the present one, and return it."""
    before = defaults(prefix)
    earlier = before[:-1]
    while earlier and earlier[-1] not in versions(prefix):
        earlier.pop()
    if not earlier:
        raise ConfigError(
            "no earlier default to go back to",
            where=prefix,
            found=", ".join(versions(prefix)) or "no published version",
        )
    _switch(prefix, earlier)
    return earlier[-1]


def _switch(prefix: Path, history: list[str]) -> None:
    # Both module systems read `.version`. A rename replaces it: whoever loads meanwhile gets the one or the other.
    with atomic(prefix / "modulefiles" / "deeprc" / ".version") as path:
        path.write_text(f'#%Module1.0\nset ModulesVersion "{history[-1]}"\n')
        path.chmod(0o644)
    with atomic(prefix / "releases" / "defaults") as path:
        path.write_text("".join(f"{version}\n" for version in history))
        path.chmod(0o644)


def _order(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[.+-]", version)]
