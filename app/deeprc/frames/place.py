"""Where rows go that memory has no room for."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from deeprc.core.errors import InputError


def in_memory(folder: Path) -> bool:
    """Whether a folder is of a file system that is in memory itself (tmpfs): what is put there takes it."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        about, _, kind = line.partition(" - ")
        if about.split()[2] == wanted:
            return kind.split()[0] in ("tmpfs", "ramfs")
    return False


def place() -> Path:
    """Where such folders are made: in TMPDIR, of one's own."""
    return Path(tempfile.gettempdir()) / f"deeprc-rows-{os.geteuid()}"


def told() -> Path:
    """The same, for rows: TMPDIR as it is set, where `tempfile` takes another folder without a word.

    Raises
    ------
    InputError
        When TMPDIR is no folder that can be written to.
    """
    said = os.environ.get("TMPDIR", "")
    if said and not (Path(said).is_dir() and os.access(said, os.W_OK | os.X_OK)):
        raise InputError(
            "TMPDIR is no folder that rows can be written to",
            found=said,
            expected="a folder on a disk of the node",
            fix="make it, set TMPDIR to another, or, in an image, bind it into that (`binds` of the site)",
        )
    return place()
