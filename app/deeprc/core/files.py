"""Files that are either whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is renamed to `path`, on failure removed.

    Works for files and for folders (the body creates either). A folder that stands at `path` is replaced: where
    the file system can, both change places in one step, so that a kill leaves one of the two (NFS cannot: between its
    two renames there is neither).

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
        temporary.replace(path)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        elif temporary.exists():
            temporary.unlink()


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


def storage_error(error: OSError, path: Path) -> Exception:
    """`error` as a StorageError where it means a full disk or a folder without access, else itself."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            "no space left to write this file",
            where=path,
            found=f"{free_megabytes(path.parent)} MB free",
            fix="free some space, or choose another folder with `--config results=FOLDER`",
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StorageError(
            "cannot write here",
            where=path,
            found=os.strerror(error.errno),
            fix="make the folder writable, or choose another one with `--config results=FOLDER`",
        )
    return error


def free_megabytes(folder: str | Path) -> int:
    """Free space, in MB, of the file system that holds `folder` or its nearest existing parent."""
    folder = Path(folder).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 10**6


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
