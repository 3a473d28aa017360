"""What comes with Deep RC: its folders in a checkout or a release, and the versions of what it stands on.

Deep RC's own come before what lies in the working directory: that may be a folder, such as /tmp, where somebody else
has put it. What is taken from there is told.
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

CHECKOUT = Path(__file__).resolve().parents[3]


def find(variable: str, relative: str, what: str, exists: Callable[[Path], bool], *, besides: bool = False) -> Path:
    """The file or folder that the environment's `variable` names, else the checkout's `relative`, else the one here.

    Parameters
    ----------
    besides
        Whether the caller looks at the working directory's as well; otherwise, one that is not read is told.

    Raises
    ------
    ConfigError
        Where none of them `exists`; `what` says what is missing.
    OwnershipError
        Where it is the working directory's, and anybody could have put it there.
    """
    if named := os.environ.get(variable):
        if exists(path := Path(named)):
            return path
    else:
        shipped, here = CHECKOUT / relative, Path(relative).absolute()
        if exists(shipped):
            if not besides and exists(here) and not here.samefile(shipped):
                tell(f"{here} is not read, Deep RC has its own {what}; to use this one: export {variable}={here}")
            return shipped
        if exists(here):
            return of_the_user(here, what)
    raise ConfigError(
        f"no {what}",
        found=named or f"no `{relative}` beside Deep RC or in the working directory",
        fix=f"run from the repository's root, or set {variable} to its {relative}",
    )


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
