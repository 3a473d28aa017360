"""Whose code made a product: the files of an application's package, as they are installed where they run, and below it
those of Deep RC that stages compute with, and the versions of others' libraries."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deeprc.core import needs
from deeprc.core.contents import Contents, named
from deeprc.core.installed import editable, tops

OURS = "deeprc.applications."
BELOW = (f"{OURS}base", "deeprc.frames", "deeprc.learning")  # what numbers depend on, beside the application's own
LIBRARIES = ("numpy", "polars", "pyarrow")  # of frames; all others are those that the application asks for


def of(package: str) -> dict[str, Any]:
    """The code of the application whose stages are modules of `package`.

    `name` is what a person calls it, `version` that of its distribution (empty for our own: a release that changes
    nothing of what is here redoes nothing), `sha256` the sum over all files of its uppermost package and of whatever
    else its distribution has installed, by name; compiled and hidden ones are left out. `below` has such sums of Deep
    RC's packages that it computes with, and `libraries` the versions of others' that are installed; of one that is
    installed editable, the sum of its files as well.
    """
    own = package.startswith(OURS)
    top = ".".join(package.split(".")[:3]) if own else package.partition(".")[0]
    points = [point for point in needs.points() if top in _tops(point, own=own)]
    dist = next((point.dist for point in points if point.dist), None)
    libraries = {*LIBRARIES, *(name for point in points for name in needs.packages(point.name))}
    return {
        "name": top.removeprefix(OURS),
        "version": dist.version if dist and not own else "",
        "sha256": _sum(top, *(sorted(tops(dist) - {top}) if dist and not own else ())),
        "below": {name: _sum(name) for name in BELOW},
        "libraries": versions(libraries - {dist.name if dist else ""}),
    }


def of_stage() -> dict[str, Any] | None:
    """The code of the application whose stage this process is; None where it is none, `python -m <package>.<stage>`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    package, _, stage = spec.name.rpartition(".") if spec else ("", "", "")
    return of(package) if package and stage != "__main__" else None


def _tops(point: EntryPoint, *, own: bool) -> set[str]:
    """What can be imported of an application: of ours, which are of one distribution, its package alone."""
    if own:
        return {".".join(point.module.split(".")[:3])}
    theirs = point.dist and point.dist.name != needs.OURS
    return {point.module.partition(".")[0], *(tops(point.dist) if theirs else ())}


def _source(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix != ".pyc"


def _sum(*names: str) -> str:
    """Over all files of these packages and modules; one that cannot be found has none."""
    sums = {name: _files(name) for name in names}
    told = sums[names[0]] if len(names) == 1 else sums
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _files(name: str) -> dict[str, str]:
    spec = find_spec(name)
    paths = (spec.submodule_search_locations or [spec.origin]) if spec else []
    return Contents().of({below: path for below, path in named(paths).items() if _source(path)})


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of these packages, by name, of those that are installed here."""
    found = {}
    for name in sorted(names):
        try:
            dist = distribution(name)
        except PackageNotFoundError:  # of a stage that does not run here
            continue
        edited = f", edited: {_sum(*sorted(tops(dist)))[:12]}" if editable(dist) and tops(dist) else ""
        found[name] = f"{dist.version}{edited}"
    return found
