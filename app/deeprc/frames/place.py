"""Where rows go that memory has no room for."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def place() -> Path:
    """Where such folders are made: in TMPDIR, of one's own."""
    return Path(tempfile.gettempdir()) / f"deeprc-rows-{os.geteuid()}"
