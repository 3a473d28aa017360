"""What comes with Deep RC: its folders in a checkout or a release, and the versions of what it stands on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deeprc.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parents[2]


def find(variable: str, relative: str, what: str, exists: Callable[[Path], bool]) -> Path:
    """The file or folder that the environment's `variable` names, else `relative` here, else in the checkout.

    Raises
    ------
    ConfigError
        Where none of them `exists`; `what` says what is missing.
    """
    named = os.environ.get(variable)
    for path in [Path(named)] if named else [Path(relative).absolute(), CHECKOUT / relative]:
        if exists(path):
            return path
    raise ConfigError(
        f"no {what}",
        found=named or f"no `{relative}` in the working directory",
        fix=f"run from the repository's root, or set {variable} to its {relative}",
    )


def installed(packages: Iterable[str]) -> dict[str, str]:
    """The versions of those of `packages` that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
