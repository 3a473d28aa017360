"""Whether RADICAL-Pilot and what it stands on are those that Deep RC changes (`patches/deeprc_table.py`)."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from deeprc.core.errors import ConfigError
from deeprc.pilot.resource import PATCHES


@cache
def table() -> ModuleType:
    """The table and its check, which stand alone, for processes that have no deeprc."""
    spec = spec_from_file_location("deeprc_table", PATCHES / "deeprc_table.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check() -> None:
    """Raise a ConfigError where the installed version of one of them does not fit."""
    for patch in table().TABLE:
        if problem := _problem(patch.module):
            raise ConfigError(problem, fix=f"pip install {patch.package}=={patch.tested[-1]}")


@cache
def _problem(module: str) -> str | None:
    patch = next(each for each in table().TABLE if each.module == module)
    return table().problem(patch, table().folder(patch))


def rows() -> list[tuple[str, str, str, str]]:
    """Of each row, for people: module, package with the versions that it was tried with, why, and the supported way."""
    return [(row.module, f"{row.package} {', '.join(row.tested)}", row.why, row.instead) for row in table().TABLE]
