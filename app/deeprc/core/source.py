"""A copy of the checkout's package, to build from: a build writes beside its source, which may not be ours to write."""

from __future__ import annotations

import shutil
from pathlib import Path

FILES = ("pyproject.toml", "README.md", "LICENSE")
GENERATED = shutil.ignore_patterns("__pycache__", "*.egg-info")


def copy_source(checkout: Path, folder: Path) -> Path:
    """Copy what `pip install` needs of a checkout into a new folder, and return that."""
    folder.mkdir(parents=True)
    shutil.copytree(checkout / "app", folder / "app", ignore=GENERATED)
    for name in FILES:
        shutil.copy(checkout / name, folder / name)
    return folder
