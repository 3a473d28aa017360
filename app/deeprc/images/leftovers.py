"""What killed commands leave in a folder of images: known by the names that only we give, by locks, and by records.

Other people's files may lie beside ours: what has no name or no record of ours is left alone, however old it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

RECORD, SIF, SQUASHFS, LOCK = ".json", ".sif", ".sqsh", ".lock"
OLD = 24 * 3600  # seconds after which an unfinished file without a lock belongs to nobody any more
OLD_BASE = 31 * 24 * 3600  # seconds after which a Debian that images are made from is made anew (see build.py)

# NAME_ARCHITECTURE_DIGEST, as `Store.path` makes it.
IMAGE = re.compile(r"(?P<name>[a-z0-9-]+)_(?P<architecture>[a-z0-9_]+)_(?P<digest>[0-9a-f]{16})(\.sif|\.sqsh)")
_UNFINISHED = re.compile(
    r"\.[0-9a-f]{64}(\.[\w.-]+\.\d+)?\.part"  # what has arrived of an image
    r"|\.deeprc-[\w.-]+\.(tmp|lock)"  # what a build, a signature or a pilot's pull makes (`temporary`, `alone`)
    rf"|\.{IMAGE.pattern}(\.json)?\.[0-9a-f]{{8}}\.tmp"  # see `deeprc.core.files.atomic`
)
_LOCK = re.compile(r"\.(pull|sign|build|base)-[0-9a-f]{16}\.lock")  # see `Store.lock`
_LINK = re.compile(r"\.[a-z0-9-]+\.\d+\.link")
_BASE = re.compile(r"debian-[0-9a-f]{16}\.sif|\.debian-[0-9a-f]{16}\.sif\.\d+\.tmp")


def temporary(folder: Path, what: str) -> Path:
    """A name in `folder` for something unfinished, of this process's own; `unfinished` knows it again."""
    return folder / f".deeprc-{what}.{os.uname().nodename}.{os.getpid()}.tmp"


@contextmanager
def alone(folder: Path, what: str) -> Iterator[Path]:
    """`temporary` for a file, removed in the end; a lock beside it lasts as long as this process (`sweep`)."""
    path = temporary(folder, what)
    lock = path.with_suffix(LOCK)
    with os.fdopen(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as handle:
        with contextlib.suppress(OSError):  # a file system without locks: it then counts a day from a kill
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            lock.unlink(missing_ok=True)


def sweep(folder: Path) -> list[Path]:
    """Remove what killed processes of this user have left there under `alone`, on this node; return which."""
    removed = []
    for lock in folder.glob(f".deeprc-*.{os.uname().nodename}.*{LOCK}"):
        with contextlib.suppress(OSError):  # it lives, or is somebody else's
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_uid == os.geteuid():
                    path = lock.with_suffix(".tmp")
                    removed += [path] if path.exists() else []
                    path.unlink(missing_ok=True)
                    lock.unlink()
            finally:
                os.close(handle)
    return removed


def locked(path: Path) -> tuple[TextIO, bool]:
    """The open file of a lock that lasts until it is closed, and whether there is one: some file systems have none."""
    while True:
        handle = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666), "w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            return handle, False
        if _is(handle.fileno(), path):
            return handle, True
        handle.close()  # it was removed while we waited (`unlock`): whoever comes next makes another one


def unlock(folder: Path) -> None:
    """Remove this user's locks there that nobody holds."""
    for path in folder.glob(f".*{LOCK}"):
        if not _LOCK.fullmatch(path.name):
            continue
        with contextlib.suppress(OSError):  # it is held, or gone, or somebody else's
            handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(handle).st_uid == os.geteuid() and _is(handle, path):
                    path.unlink()
            finally:
                os.close(handle)


def _is(handle: int, path: Path) -> bool:
    """Whether an open file is the one that has that name now."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


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
