"""What the applications that are installed need: images, Spack, modules and the report know them by this alone.

An application is an object that a package offers under the entry point group `deeprc.applications`; all else of it is
above (`deeprc.applications`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from packaging.requirements import Requirement

from deeprc.core.errors import ConfigError
from deeprc.core.undone import undone

GROUP = "deeprc.applications"
THEIRS = (Exception, SystemExit)  # what somebody else's code may end with
OURS = "deeprc"  # the distribution whose requirements are locked, and so can be built into images and environments


@dataclass(frozen=True)
class Need:
    """What stages of an application want beside Deep RC itself.

    Attributes
    ----------
    stage
        The kind of stage, as images name it: `torch`, `tensorflow`.
    extra
        The extra of its distribution that brings what they import.
    modules
        What to import of that for a first try: an image does so when it is built.
    """

    stage: str
    extra: str
    modules: tuple[str, ...]


def points() -> list[EntryPoint]:
    """All entry points, in the order of their names and packages.

    Raises
    ------
    ConfigError
        Where there is none at all.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.dist.name if point.dist else ""))
    if not found:
        raise ConfigError(
            "no application is installed, not even Deep RC's own",
            where=f"entry points {GROUP}",
            found="an installation of an earlier release",
            fix="install Deep RC anew: make install (or pip install --no-deps --no-build-isolation --editable .)",
        )
    return found


def load(point: EntryPoint) -> Any:
    """The object of an entry point; what its import did to this process is undone (`deeprc.core.undone`).

    Raises
    ------
    ImportError
        Where it, or a package that it is in, changes the working directory when it is imported: what the process
        looks for there by relative names, from its configuration on, would be sought elsewhere.
    """
    parts = point.module.split(".")
    for depth in range(len(parts)):
        module = ".".join(parts[: depth + 1])
        if _leaves(module):
            raise ImportError(f"{module} changes the working directory when it is imported")
    with undone():
        return point.load()


@cache
def _leaves(module: str) -> bool:
    """Whether its import, which is made once, changed the working directory."""
    with undone() as place:
        import_module(module)
    return place.left


def distribution(name: str) -> str:
    """The distribution that the application `name` is from."""
    return next((point.dist.name for point in points() if point.name == name and point.dist), OURS)


@cache
def ours() -> dict[str, tuple[Need, ...]]:
    """What the applications that come with Deep RC need, by application."""
    return {point.name: load(point).needs for point in points() if point.dist and point.dist.name == OURS}


def extras(stage: str | None = None) -> list[str]:
    """The extras of Deep RC that bring what stages of one kind import, or all stages."""
    needs = [need for found in ours().values() for need in found if stage in (None, need.stage)]
    return list(dict.fromkeys(need.extra for need in needs))


def modules(stage: str) -> list[str]:
    """What stages of one kind import."""
    needs = [need for found in ours().values() for need in found if need.stage == stage]
    return list(dict.fromkeys(module for need in needs for module in need.modules))


def packages(application: str | None = None) -> list[str]:
    """The packages that all applications bring and ask for, or that one: the report tells their versions."""
    chosen = (point for point in points() if point.dist and application in (None, point.name))
    return list(dict.fromkeys(name for point in chosen for name in _packages(point)))


def _packages(point: EntryPoint) -> Iterator[str]:
    own = point.dist.name == OURS
    wanted = {need.extra for need in _needs(point)} | (set() if own else {""})
    yield from () if own else (point.dist.name,)
    for requirement in map(Requirement, point.dist.requires or []):
        marker = requirement.marker
        asked = any(marker.evaluate({"extra": extra}) for extra in wanted) if marker else not own
        if asked and requirement.name != OURS:
            yield requirement.name


def _needs(point: EntryPoint) -> tuple[Need, ...]:
    try:
        return getattr(load(point), "needs", ())
    except THEIRS:  # who runs it is told (`deeprc.applications.registry`); a report of others does without it
        return ()
