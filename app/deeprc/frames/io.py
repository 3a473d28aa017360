"""Frames from files and to files: every rank reads its share, and writes one part of a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.errors import InputError
from deeprc.files import atomic, storage_error
from deeprc.frames.communicator import Communicator
from deeprc.frames.shuffle import OLDEST

Piece = tuple[int, int, int]  # file, row group or record batch in it, rows


def read_parquet(path: str | Path, columns: Sequence[str] | None, comm: Communicator) -> pl.DataFrame:
    """This rank's share of Parquet files: whole row groups, in the order of the files' names."""

    def pieces(file: Path) -> list[int]:
        meta = pq.read_metadata(file)
        return [meta.row_group(index).num_rows for index in range(meta.num_row_groups)]

    def read(file: Path, groups: list[int]) -> pa.Table:
        threads = pl.thread_pool_size() > 1
        table = pq.ParquetFile(file).read_row_groups(groups, columns=columns, use_threads=threads)
        return table if columns is None else table.select(columns)  # fails where a column is missing

    return _read(path, "*.parquet", pieces, read, comm)


def read_arrow(path: str | Path, columns: Sequence[str] | None, comm: Communicator) -> pl.DataFrame:
    """This rank's share of Arrow IPC files: whole record batches, memory-mapped, in the order of the files' names."""

    def pieces(file: Path) -> list[int]:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        return [reader.get_batch(index).num_rows for index in range(reader.num_record_batches)]

    def read(file: Path, batches: list[int]) -> pa.Table:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        table = pa.Table.from_batches([reader.get_batch(index) for index in batches], schema=reader.schema)
        return table if columns is None else table.select(columns)

    return _read(path, "*.arrow", pieces, read, comm)


def write(df: pl.DataFrame, folder: str | Path, kind: str, comm: Communicator) -> None:
    """Write this rank's rows as `part-<rank>.<kind>` (arrow or parquet) of a folder that appears when it is whole."""
    with _whole_folder(Path(folder), comm) as temporary:
        table = df.rechunk().to_arrow(compat_level=OLDEST)
        file = temporary / f"part-{comm.rank:05d}.{kind}"
        try:
            with file.open("wb") as handle:
                if kind == "arrow":
                    with pa.ipc.new_file(handle, table.schema) as writer:
                        writer.write_table(table)
                else:
                    pq.write_table(table, handle, compression="zstd")
                handle.flush()
                os.fsync(handle.fileno())  # a full disk may only show here
        except OSError as error:
            raise storage_error(error, Path(folder)) from error


@contextmanager
def _whole_folder(folder: Path, comm: Communicator) -> Iterator[Path]:
    """A temporary folder for all ranks; rank 0 renames it when every rank is done, or removes it when one failed."""
    with ExitStack() as stack:
        temporary = None
        with comm.together():
            if comm.rank == 0:
                temporary = stack.enter_context(atomic(folder))
                temporary.mkdir()
        temporary = comm.bcast(temporary)
        with comm.together():
            yield temporary
        with comm.together():
            stack.close()


def _read(
    path: str | Path,
    pattern: str,
    pieces: Callable[[Path], list[int]],
    read: Callable[[Path, list[int]], pa.Table],
    comm: Communicator,
) -> pl.DataFrame:
    with comm.together():
        files = _files(Path(path), pattern) if comm.rank == 0 else []
    files = comm.bcast(files)
    with comm.together():
        mine = {index: _read_file(pieces, files[index]) for index in range(comm.rank, len(files), comm.size)}
    rows = {index: counts for share in comm.allgather(mine) for index, counts in share.items()}
    dealt = [(file, group, count) for file in range(len(files)) for group, count in enumerate(rows[file])]
    deal = share_of(dealt, comm.rank, comm.size)
    with comm.together():
        tables = [_read_file(read, files[0], [])]  # the columns, also for a rank without rows
        for file in dict.fromkeys(file for file, _, _ in deal):
            table = _read_file(read, files[file], [group for owner, group, _ in deal if owner == file])
            if table.schema != tables[0].schema:
                raise InputError(
                    "the columns differ from those of the first file",
                    where=files[file],
                    found=_columns(table),
                    expected=f"{_columns(tables[0])} ({files[0]})",
                )
            tables.append(table)
    return pl.from_arrow(pa.concat_tables(tables), rechunk=True)


def share_of(pieces: list[Piece], rank: int, ranks: int) -> list[Piece]:
    """A rank's pieces: consecutive ones, about as many rows as every other rank."""
    total, before, mine = sum(rows for _, _, rows in pieces), 0, []
    for piece in pieces:
        middle = before + piece[2] / 2
        if total and min(int(middle * ranks / total), ranks - 1) == rank:
            mine.append(piece)
        before += piece[2]
    return mine


def _files(path: Path, pattern: str) -> list[Path]:
    """The files that a path means: itself, those in a folder, or those that match it."""
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(path.glob(pattern))
    else:
        fixed = next((parent for parent in path.parents if not set("*?[") & set(str(parent))), Path())
        found = sorted(file for file in fixed.glob(str(path.relative_to(fixed))) if file.is_file())
    if not found:
        raise InputError(
            "no such file, nor files that match", where=path, expected=f"a file, a folder of {pattern}, or a pattern"
        )
    return found


def _read_file(read: Callable, file: Path, *arguments: object) -> object:
    try:
        return read(file, *arguments)
    except (pa.ArrowInvalid, pa.ArrowKeyError, KeyError, OSError) as error:
        raise InputError(f"cannot read this file: {error}", where=file) from error


def _columns(table: pa.Table) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in table.schema)
