"""The marker of a checkpoint that is whole: written last, and with its own checksum."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeprc.core.files import write_text

FILE = "commit.json"


def write(folder: Path, about: Mapping[str, Any]) -> None:
    """Vouch for the files of a folder, once their names are on the disk."""
    _sync(folder)
    write_text(folder / FILE, json.dumps(dict(about) | {"check": _check(about)}))
    _sync(folder)
    _sync(folder.parent)


def read(folder: Path) -> dict[str, Any] | None:
    """What the marker of a folder says; None where there is none, or one that is not as it was written."""
    try:
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return about if about.pop("check") == _check(about) else None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _check(about: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
