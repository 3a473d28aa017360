"""Whose code made a product: the files of an application's package, as they are installed where they run, and below it
those of Deep RC that stages compute with, and the versions of others' libraries."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deeprc.core import needs
from deeprc.core.contents import Contents, named

OURS = "deeprc.applications."
BELOW = (f"{OURS}base", "deeprc.frames", "deeprc.learning")  # what numbers depend on, beside the application's own
LIBRARIES = ("numpy", "polars", "pyarrow")  # of frames; all others are those that the application asks for


def of(package: str) -> dict[str, Any]:
    """The code of the application whose stages are modules of `package`.

    `name` is what a person calls it, `version` that of its distribution (empty for our own: a release that changes
    nothing of what is here redoes nothing), `sha256` the sum over all files of its uppermost package, by name;
    compiled and hidden ones are left out. `below` has such sums of Deep RC's packages that it computes with, and
    `libraries` the versions of others' that are installed.
    """
    own = package.startswith(OURS)
    top = ".".join(package.split(".")[:3]) if own else package.partition(".")[0]
    points = [point for point in needs.points() if f"{point.module}.".startswith(f"{top}.")]
    dist = next((point.dist for point in points if point.dist), None)
    libraries = {*LIBRARIES, *(name for point in points for name in needs.packages(point.name))}
    return {
        "name": top.removeprefix(OURS),
        "version": dist.version if dist and not own else "",
        "sha256": _sum(top),
        "below": {name: _sum(name) for name in BELOW},
        "libraries": _versions(libraries - {dist.name if dist else ""}),
    }


def of_stage() -> dict[str, Any] | None:
    """The code of the application whose stage this process is; None where it is none, `python -m <package>.<stage>`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    package, _, stage = spec.name.rpartition(".") if spec else ("", "", "")
    return of(package) if package and stage != "__main__" else None


def _source(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix != ".pyc"


def _sum(package: str) -> str:
    folders = find_spec(package).submodule_search_locations
    sums = Contents().of({below: path for below, path in named(folders).items() if _source(path)})
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def _versions(names: set[str]) -> dict[str, str]:
    found = {}
    for name in sorted(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of a stage that does not run here
            continue
    return found
