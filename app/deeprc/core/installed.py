"""What a distribution has installed: the names that can be imported of it, also where it is installed editable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

CODE = (".py", ".so")
APART = {"conftest", "docs", "setup", "test", "tests"}  # beside packages in a source folder, and no part of them


def tops(dist: Distribution) -> set[str]:
    """Its uppermost packages and modules.

    By `top_level.txt`, which setuptools writes; by the list of its files; and, for an editable installation of another
    build backend, by what lies in the folders that it puts on the path of imports. Empty where none of them tells.
    """
    named = (dist.read_text("top_level.txt") or "").split()
    listed = [file.parts for file in dist.files or []]
    found = {*named, *_names(parts for parts in listed if not parts[-1].startswith("__editable__"))}
    for folder in _folders(dist):
        below = [path.relative_to(folder).parts for path in [*folder.glob("*.*"), *folder.glob("*/*.py")]]
        found |= {*_names(below)} - APART
    return {name.partition("/")[0] for name in found}


def editable(dist: Distribution) -> bool:
    """Whether its files are edited where they lie (PEP 610)."""
    told = json.loads(dist.read_text("direct_url.json") or "{}")
    return bool(told.get("dir_info", {}).get("editable"))


def _names(files: Iterator[tuple[str, ...]]) -> Iterator[str]:
    for parts in files:
        name = parts[0].partition(".")[0] if len(parts) == 1 else parts[0]
        if parts[-1].endswith(CODE) and name.isidentifier() and name != "__pycache__":
            yield name


def _folders(dist: Distribution) -> Iterator[Path]:
    """Those that its `.pth` files name; a line of them that begins with `import` is code."""
    for file in dist.files or []:
        if file.suffix == ".pth" and (path := Path(file.locate())).is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from (Path(line) for line in lines if not line.startswith("import") and Path(line).is_dir())
