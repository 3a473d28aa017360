"""Whose code made a product: the files of an application's package, as they are installed where they run."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from deeprc.core.contents import Contents, named
from deeprc.core.needs import GROUP

OURS = "deeprc.applications."
SHARED = f"{OURS}base"  # what our own applications' stages are made of beside their own package


def of(package: str) -> dict[str, str]:
    """The code of the application whose stages are modules of `package`.

    `name` is what a person calls it, `version` that of its distribution (empty for our own: a release that changes
    nothing of an application redoes nothing), `sha256` the sum over all files of its uppermost package, by name;
    compiled and hidden ones are left out.
    """
    own = package.startswith(OURS)
    top = ".".join(package.split(".")[:3]) if own else package.partition(".")[0]
    files = {}
    for name in (top, SHARED) if own else (top,):
        for folder in find_spec(name).submodule_search_locations:
            files |= {f"{name}/{below}": path for below, path in named([folder]).items() if _source(path)}
    sums = json.dumps(Contents().of(files), sort_keys=True)
    found = (point.dist for point in entry_points(group=GROUP) if point.module.partition(".")[0] == top)
    version = next((dist.version for dist in found if dist), "")
    return {"name": top.removeprefix(OURS), "version": version, "sha256": hashlib.sha256(sums.encode()).hexdigest()}


def of_stage() -> dict[str, str] | None:
    """The code of the application whose stage this process is; None where it is none, `python -m <package>.<stage>`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    package, _, stage = spec.name.rpartition(".") if spec else ("", "", "")
    return of(package) if package and stage != "__main__" else None


def _source(path: Path) -> bool:
    return "__pycache__" not in path.parts and path.suffix != ".pyc"
