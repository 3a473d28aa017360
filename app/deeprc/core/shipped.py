"""What comes with Deep RC: its folders in the installed package or a checkout, and the versions of what it stands on.

They are never looked for in the working directory: that may be a folder, such as /tmp, where somebody else has put a
catalog with digests and keys of his own. What lies there is reported, but read only where a variable names it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deeprc.core.errors import ConfigError
from deeprc.core.ownership import OwnershipError, writers

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parents[1]
FOLDERS = ("site-configs", "workflows", "containers", "spack-env")  # as in hatch_build.py
# A wheel has them in the package, and a checkout (an editable install) at its root.
SHIPPED = PACKAGE / "share" if (PACKAGE / "share").is_dir() else CHECKOUT


def find(variable: str, relative: str, what: str, exists: Callable[[Path], bool], *, besides: bool = False) -> Path:
    """The file or folder that the environment's `variable` names, else Deep RC's own `relative`.

    Parameters
    ----------
    besides
        Whether the caller looks at the working directory's as well; otherwise, one that is not read is told.

    Raises
    ------
    ConfigError
        Where it does not `exist`; `what` says what is missing.
    """
    if named := os.environ.get(variable):
        if exists(path := Path(named)):
            return path
        raise ConfigError(f"no {what}", found=named, fix=f"set {variable} to a {relative}, or unset it")
    shipped, here = SHIPPED / relative, Path(relative).absolute()
    if not exists(shipped):
        raise ConfigError(
            f"no {what}",
            found=f"no `{relative}` in {SHIPPED}",
            fix=f"install Deep RC anew, or set {variable} to its {relative}",
        )
    if not besides and exists(here) and not here.samefile(shipped):
        tell(f"{here} is not read, Deep RC has its own {what}; to use this one: export {variable}={here}")
    return shipped


def checkout(purpose: str) -> Path:
    """The checkout that this code runs from.

    Raises
    ------
    ConfigError
        Where it is installed from a wheel; `purpose` says what asks for a checkout.
    """
    if not (CHECKOUT / "pyproject.toml").is_file():
        raise ConfigError(
            f"{purpose} needs a checkout of the project",
            found=f"deeprc in {PACKAGE}, which was installed from a wheel",
            fix="set the checkout up with `make install`, and use its deeprc",
        )
    return CHECKOUT


def of_the_user(path: Path, what: str) -> Path:
    """`path` of the working directory, told once: it is not Deep RC's own. Refused where anybody could have put it."""
    for writer in writers(path):
        if writer.anybody:
            raise OwnershipError(
                f"this {what} could be anybody's",
                where=path,
                found=f"{writer.place} is open to {writer.who}",
                expected=f"a {what} of yours, in a folder that others cannot change",
                fix="look at what is in it, and copy it to a folder of your own",
            )
    tell(f"the {what} is the working directory's, not Deep RC's own: {path}")
    return path


@cache
def tell(text: str) -> None:
    """Say something to the user, once."""
    print(f"note: {text}", file=sys.stderr)


def installed(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those of `packages` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
