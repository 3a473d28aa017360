"""The hash of what goes into an image besides wheels: the same contents have the same one wherever they lie."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

SKIPPED = {".git", ".spack-env", "__pycache__"}  # made by tools, not from the contents
# Of a checkout of Spack; the rest is what it has built and fetched.
PARTS = {"spack": ("bin", "etc", "lib", "share", "var/spack/repos")}


def content_of(name: str, path: Path) -> str:
    """The SHA-256 of an input of a recipe: names, modes and contents of its files, in the order of their names.

    Parameters
    ----------
    name
        Which input it is (`spack`, `spack_packages`, `spack_env`, `micromamba`).
    path
        A folder or a file. Links count by what they say.
    """
    found = hashlib.sha256()
    for file in _files(path, PARTS.get(name)):
        inner = file.relative_to(path).as_posix()
        if file.is_symlink():
            kind, content = "link", str(file.readlink()).encode()
        else:
            kind, content = "program" if os.access(file, os.X_OK) else "file", file.read_bytes()
        found.update(f"{inner}\0{kind}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _files(path: Path, parts: tuple[str, ...] | None) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = []
    for root in [path / part for part in parts] if parts else [path]:
        for folder, folders, names in os.walk(root):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            folders[:] = [name for name in folders if name not in SKIPPED and name not in links]
            found += [Path(folder) / name for name in [*names, *links] if name not in SKIPPED]
    return sorted(found)
