"""Rows that memory has no room for: Arrow files on a disk of this node, mapped, with nothing left behind."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from deeprc.core.errors import InputError
from deeprc.core.files import StorageError, free_megabytes, storage_error
from deeprc.frames.watcher import remove_abandoned

UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
LEAST = 8 * 2**20  # bytes; with fewer the pieces become so small that a run takes for ever


class RowStore:
    """A folder of a process, on a disk of its node.

    Parameters
    ----------
    folder
        The folder, made by `opened`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._number = folder, 0
        self.written = 0  # bytes

    def keep(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The same rows, on the disk and mapped: their pages are the system's to drop.

        The file has no name any more: its room is free again as soon as nobody uses the rows, however a process ends.
        Integers of 128 bits, which Arrow does not have, stay in memory.

        Raises
        ------
        StorageError
            When the disk is full.
        """
        wide = [name for name, kind in rows.schema.items() if kind in (pl.Int128, pl.UInt128)]
        if len(wide) == rows.width:
            return rows
        if wide:
            return self.keep(rows.drop(wide)).with_columns(rows.select(wide).get_columns()).select(rows.columns)
        self._number += 1
        file = self.folder / f"{self._number}.arrow"
        try:
            with file.open("wb") as handle:
                rows.write_ipc(handle, compression="uncompressed")
            self.written += file.stat().st_size
            with pa.memory_map(str(file)) as mapped:
                return pl.from_arrow(pa.ipc.open_file(mapped).read_all())
        except (OSError, pl.exceptions.ComputeError, pa.ArrowException) as error:
            raise self._told(error) from error
        finally:
            file.unlink(missing_ok=True)

    def _told(self, error: Exception) -> Exception:
        if "No space left" in str(error):
            return StorageError(
                "no space left for rows that memory has no room for",
                where=self.folder.parent,
                found=f"{free_megabytes(self.folder.parent)} MB free, {self.written // 10**6} MB written by this rank",
                fix="set TMPDIR to a larger disk of the node, take more ranks, or give them more memory",
            )
        return storage_error(error, self.folder) if isinstance(error, OSError) else error


@contextmanager
def opened(base: Path) -> Iterator[RowStore]:
    """A store, which goes with the end of the body; what killed processes have left goes at its beginning.

    Raises
    ------
    StorageError
        When the folder cannot be made, or is somebody else's.
    """
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        if base.is_symlink() or base.stat().st_uid != os.geteuid():
            raise StorageError("the folder for rows is not yours", where=base, fix="set TMPDIR to another folder")
        remove_abandoned(base)
        folder = base / secrets.token_hex(8)
        lock = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise storage_error(error, base) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir(mode=0o700)
        yield RowStore(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".lock").unlink(missing_ok=True)
        os.close(lock)


def size_of(memory: int | str) -> int:
    """Bytes, as a number or as a text such as `2 GB`.

    Raises
    ------
    InputError
        For anything else, and for less than a run can do with.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B)?\s*", str(memory), re.IGNORECASE)
    unit = (found[2] or "").upper().removesuffix("B") if found else ""
    size = int(float(found[1]) * UNITS[unit + "B" if unit else ""]) if found and not isinstance(memory, bool) else 0
    if size < LEAST:
        raise InputError(
            "memory: what a rank may use for rows is no such size",
            found=repr(memory),
            expected=f"bytes, or a text such as '2 GB'; at least {LEAST // 2**20} MiB",
        )
    return size
