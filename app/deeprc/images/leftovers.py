"""What killed pulls and builds leave in a folder of images: known by the names that only we give, and by records.

Other people's files may lie beside ours: what has no name or no record of ours is left alone, however old it is.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

RECORD, SIF, SQUASHFS = ".json", ".sif", ".sqsh"
OLD = 24 * 3600  # seconds after which an unfinished file belongs to nobody any more
OLD_BASE = 31 * 24 * 3600  # seconds after which a Debian that images are made from is made anew (see build.py)

# NAME_ARCHITECTURE_DIGEST, as `Store.path` makes it.
IMAGE = re.compile(r"(?P<name>[a-z0-9-]+)_(?P<architecture>[a-z0-9_]+)_(?P<digest>[0-9a-f]{16})(\.sif|\.sqsh)")
_UNFINISHED = re.compile(
    r"\.[0-9a-f]{64}(\.[\w.-]+\.\d+)?\.part"  # what has arrived of an image
    r"|\.deeprc-[\w.-]+\.tmp"  # what a build or a pilot's pull makes (`temporary`)
    rf"|\.{IMAGE.pattern}(\.json)?\.[0-9a-f]{{8}}\.tmp"  # see `deeprc.core.files.atomic`
)
_LINK = re.compile(r"\.[a-z0-9-]+\.\d+\.link")
_BASE = re.compile(r"debian-[0-9a-f]{16}\.sif|\.debian-[0-9a-f]{16}\.sif\.\d+\.tmp")


def temporary(folder: Path, what: str) -> Path:
    """A name in `folder` for something unfinished, of this process's own; `unfinished` knows it again."""
    return folder / f".deeprc-{what}.{os.uname().nodename}.{os.getpid()}.tmp"


def unfinished(folder: Path) -> Iterator[Path]:
    """What was begun there by this user, more than a day ago."""
    for path in folder.glob("*"):
        link = _LINK.fullmatch(path.name) and path.is_symlink() and IMAGE.fullmatch(str(path.readlink()))
        if (_UNFINISHED.fullmatch(path.name) or link or _orphaned(path)) and _ours(path, OLD):
            yield path


def bases(folder: Path) -> Iterator[Path]:
    """The Debians in a store's folder of bases that are to be made anew."""
    for path in folder.glob("*"):
        if _BASE.fullmatch(path.name) and _ours(path, OLD_BASE):
            yield path


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _orphaned(path: Path) -> bool:
    """Whether this is the record of an image that is not there: a record is written first and removed last."""
    named = IMAGE.fullmatch(path.name.removesuffix(RECORD)) if path.suffix == RECORD else None
    return bool(named) and not path.with_suffix("").exists()


def _ours(path: Path, old: float) -> bool:
    state = path.lstat()
    return state.st_uid == os.geteuid() and time.time() - state.st_mtime > old
