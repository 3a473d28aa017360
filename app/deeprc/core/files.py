"""Files that are either whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deeprc.core.errors import DeepRCError, InputError

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
TAIL = 15  # lines of a log that are shown
TAIL_BYTES = 20_000  # how much of the end is searched for them, since a log may be large


class StorageError(DeepRCError):
    """A folder that cannot be written, or a disk that is full."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def tail(path: Path, lines: int = TAIL) -> list[str]:
    """The last lines of a file; none where it is missing."""
    try:
        with path.open("rb") as handle:
            handle.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = handle.read().decode(errors="replace")
    except OSError:
        return []
    return text.rstrip().splitlines()[-lines:]


def telling(path: Path, after: int = 3) -> list[str]:
    """As `tail`, with the end of the last traceback of Python where it comes before these lines, and `after` of them.

    What a program prints is kept back where it goes to a file: it is written after the traceback that ended it.
    """
    whole = tail(path, TAIL_BYTES)
    begins = [number for number, line in enumerate(whole) if line.startswith("Traceback (most recent call last)")]
    ends = begins and next((at for at in range(begins[-1] + 1, len(whole)) if whole[at][:1].strip()), len(whole) - 1)
    if not begins or ends >= len(whole) - TAIL:
        return whole[-TAIL:]
    room = TAIL - after - 1
    return [*whole[begins[-1] : ends + 1][-room:], "…", *whole[-after:]]


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on failure removed.

    Works for files and for folders (the body creates either). A folder that stands at `path` is replaced: where
    the file system can, both change places in one step, so that a kill leaves one of the two. Where it cannot (NFS), a
    kill between the two renames leaves neither at `path`, but both beside it, under hidden names: whoever makes the
    folder anew removes these.

    Raises
    ------
    StorageError
        When the disk is full or the folder cannot be written; what stood at `path` is left as it was.
    """
    path, odd = Path(path), secrets.token_hex(4)  # others may write to the folder: the name must not be predictable
    temporary = path.with_name(f".{path.name}.{odd}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_file():
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())  # a full disk may only show here
        elif path.is_dir() and not path.is_symlink():  # a folder cannot be renamed over a full one
            if not _exchange(temporary, path):
                old = path.rename(path.with_name(f".{path.name}.{odd}.old"))
                temporary.rename(path)
                shutil.rmtree(old)
            return  # what is now called `temporary` is the old one
        halves = _halves(path) if temporary.is_dir() and not path.exists() else []
        temporary.replace(path)
        for half in halves:
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary.exists():
            temporary.unlink()


@contextmanager
def atomic_large(path: str | Path, *, new: bool = False) -> Iterator[Path]:
    """As `atomic`, for one large file, which is there (and empty) when the body begins, and must stay the same file.

    A lock on it tells for as long as this process lives that it is in use; what killed ones have left of earlier tries
    is removed first. (On a file system without locks it stays.)

    Raises
    ------
    StorageError
        As `atomic`; with `new`, also where there is something at `path` in the end: another process may have been
        quicker.
    """
    path = Path(path)
    _remove_abandoned(path)
    with atomic(path) as temporary, temporary.open("xb") as handle:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield temporary
        if new:
            _claim(temporary, path)


def _claim(temporary: Path, path: Path) -> None:
    """Take a name that nobody has: of two who try, one is refused. A rename by `atomic` then does no harm."""
    try:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise StorageError("there is something already", where=path, fix="name another file") from None


def _remove_abandoned(path: Path) -> None:
    ours = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{8}\.tmp")
    for each in path.parent.glob(".*.tmp"):
        with suppress(OSError):  # it is in use, or somebody else's
            if not ours.fullmatch(each.name) or each.is_symlink() or not each.is_file():
                continue
            with each.open("r+b") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                state = os.fstat(handle.fileno())
                if state.st_size and state.st_uid == os.geteuid():  # an empty one may not have its lock yet
                    each.unlink()


def _halves(path: Path) -> list[Path]:
    """What a kill between the two renames has left of the folder at `path`: the old one, and the new one."""
    ours = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{8}\.old")
    old = [each for each in path.parent.glob(".*.old") if ours.fullmatch(each.name) and not each.is_symlink()]
    return [*old, *(each.with_suffix(".tmp") for each in old)]


def _exchange(one: Path, other: Path) -> bool:
    """Let two files or folders change places in one step; False where the system or the file system cannot."""
    change = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # glibc 2.28, musl 1.2.5
    if change is None:
        return False
    if change(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def storage_error(
    error: OSError, path: Path, *, room: str = "free some space there", other: str = "name another folder"
) -> Exception:
    """`error` as a StorageError where it means a full disk, a read-only one, or a folder without access; else itself.

    Parameters
    ----------
    path
        What was to be written.
    room, other
        How space is made there, and how another place is chosen: what each error advises differs.
    """
    number, found = error.errno, error.strerror
    if number == errno.ENOSPC:
        if found == os.strerror(number):
            there = os.statvfs(_existing(path))
            found = f"{there.f_bavail * there.f_frsize // 10**6} MB free"
            found += ", but not one file more can be made" if there.f_files and not there.f_favail else ""
        return StorageError("no space left to write this file", where=path, found=found, fix=f"{room}, or {other}")
    if number == errno.EDQUOT:
        return StorageError("your quota there is used up", where=path, found=found, fix=f"{room}, or {other}")
    if number == errno.EROFS:
        problem = "cannot write here: the disk is mounted read-only"
        return StorageError(problem, where=path, found=found, fix=other)
    if number in (errno.EACCES, errno.EPERM):
        problem = "cannot write here: you may not"
        return StorageError(problem, where=path, found=found, fix=f"have its owner let you write there, or {other}")
    return error


def free_megabytes(folder: str | Path) -> int:
    """Free space, in MB, of the file system that holds `folder` or its nearest existing parent."""
    return shutil.disk_usage(_existing(Path(folder))).free // 10**6


def _existing(path: Path) -> Path:
    """`path` or its nearest existing parent."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` in one step (see `atomic`)."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write `value` to `path` as indented JSON in one step.

    Raises
    ------
    InputError
        For a number that is not finite, since JSON has none; with the keys that lead to it.
    """
    for keys, number in _not_finite(value):
        raise InputError(
            "a number that is not finite, which JSON cannot hold",
            where=f"{path}: key '{keys}'",
            found=number,
            expected="a finite number, or null where there is none",
        )
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _not_finite(value: object, above: str = "") -> Iterator[tuple[str, float]]:
    """The numbers that are not finite, each with the keys and places that lead to it."""
    if isinstance(value, float) and not math.isfinite(value):
        yield above, float(value)
    elif isinstance(value, dict | list | tuple):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _not_finite(inner, f"{above}.{key}" if above else str(key))


def read_json(path: str | Path) -> object:
    """The value in a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
