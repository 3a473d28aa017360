"""Frames from files and to files: every rank reads its share, and writes one part of a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.core.errors import InputError
from deeprc.core.files import atomic, storage_error
from deeprc.frames import target
from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator
from deeprc.frames.files import found
from deeprc.frames.lazy.drift import like, united
from deeprc.frames.names import known, names, unique
from deeprc.frames.remote.location import Remote, address
from deeprc.frames.wire import from_table, spelled, to_table

GROUP = 2**20  # rows that are written at a time: a row group of Parquet, a batch of Arrow
MAPPED = 16 * 2**20  # bytes of an Arrow file: a larger one is not copied into memory
Piece = tuple[int, int, int]  # file, row group or record batch in it, rows
REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
HIVE = re.compile(r"[^=]+=.*")  # a folder `name=value`, which stands for a column


def read_parquet(path: str | Path, columns: Sequence[str] | None, comm: Communicator) -> pl.DataFrame:
    """This rank's share of Parquet files: whole row groups, in the order of the files' names."""

    def look(file: Path) -> tuple[list[int], pa.Schema]:
        meta = pq.read_metadata(file)
        counts = [meta.row_group(index).num_rows for index in range(meta.num_row_groups)]
        return counts, meta.schema.to_arrow_schema()

    def read(file: Path, groups: list[int], wanted: list[str]) -> pa.Table:
        threads = pl.thread_pool_size() > 1
        return pq.ParquetFile(file).read_row_groups(groups, columns=wanted, use_threads=threads).select(wanted)

    return _read(path, columns, "*.parquet", look, read, comm)


def read_arrow(path: str | Path, columns: Sequence[str] | None, comm: Communicator) -> pl.DataFrame:
    """This rank's share of Arrow IPC files: whole record batches, in the order of the files' names.

    A file of more than `MAPPED` bytes is memory-mapped: it must stay as it is for as long as the frame is used. Smaller
    ones are read, and may be written anew.
    """

    def look(file: Path) -> tuple[list[int], pa.Schema]:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        return [reader.get_batch(index).num_rows for index in range(reader.num_record_batches)], reader.schema

    def read(file: Path, batches: list[int], wanted: list[str]) -> pa.Table:
        large = file.stat().st_size > MAPPED
        reader = pa.ipc.open_file(pa.memory_map(str(file)) if large else pa.OSFile(str(file)))
        table = pa.Table.from_batches([reader.get_batch(index) for index in batches], schema=reader.schema)
        return table.select(wanted)

    return _read(path, columns, "*.arrow", look, read, comm)


def write(df: pl.DataFrame, folder: str | Path, kind: str, comm: Communicator) -> None:
    """Write this rank's rows as `part-<rank>.<kind>` (arrow or parquet) of a folder that appears when it is whole."""
    with comm.together(f"write_{kind}") as same:
        same[ARGUMENTS] = f"write_{kind}({str(folder)!r})"
        local_path(folder)
        empty = to_table(df.clear())
    # Of dictionaries an Arrow file has one for each column: of several batches each would bring its own.
    one = kind == "arrow" and any(spelled(dtype) != dtype for dtype in df.dtypes)
    with _whole_folder(Path(folder), comm) as temporary:
        file = temporary / f"part-{comm.rank:05d}.{kind}"
        try:
            with file.open("wb") as handle:
                if kind == "arrow":
                    writer = pa.ipc.new_file(handle, empty.schema)
                else:
                    writer = pq.ParquetWriter(handle, empty.schema, compression="zstd")
                with writer:
                    # Some rows at a time: they may be more than memory has room for.
                    for rows in df.iter_slices(GROUP) if df.height and not one else (df,):
                        writer.write_table(to_table(rows.rechunk()))
                handle.flush()
                os.fsync(handle.fileno())  # a full disk may only show here
        except OSError as error:
            raise storage_error(error, Path(folder)) from error


def check_target(folder: str | Path, comm: Communicator) -> None:
    """Raise an InputError on every rank where `folder` cannot be written to, or holds what rows must not replace."""
    with comm.together():
        path = local_path(folder)
        if comm.rank == 0:
            target.check(path)


@contextmanager
def _whole_folder(folder: Path, comm: Communicator) -> Iterator[Path]:
    """A temporary folder for all ranks; rank 0 renames it when every rank is done, or removes it when one failed."""
    with ExitStack() as stack:
        temporary = None
        with comm.together():
            if comm.rank == 0:
                target.check(folder)
                temporary = stack.enter_context(atomic(folder))
                temporary.mkdir()
        temporary = comm.bcast(temporary)
        with comm.together():
            yield temporary
        with comm.together():
            stack.close()


def _read(
    path: str | Path,
    columns: Sequence[str] | None,
    pattern: str,
    look: Callable[[Path], tuple[list[int], pa.Schema]],
    read: Callable[[Path, list[int], list[str]], pa.Table],
    comm: Communicator,
) -> pl.DataFrame:
    """This rank's share of files; their columns are united as those of a scan (see `lazy.drift`)."""

    def looked_at(file: Path) -> tuple[list[int], list[str], pl.Schema]:
        counts, schema = look(file)
        unique(schema.names, f"{file}")
        # Of columns that nobody asks for the types may be such that Polars has not got them.
        some = [name for name in schema.names if wanted is None or name in wanted]
        return counts, schema.names, from_table(schema.empty_table().select(some)).schema

    call = f"read_{pattern.removeprefix('*.')}"
    with comm.together(call) as same:
        wanted = None if columns is None else names(columns, "columns")
        same[ARGUMENTS] = f"{call}({str(path)!r}, columns={wanted})"
        files = _files(local_path(path), pattern) if comm.rank == 0 else []
    files = comm.bcast(files)
    with comm.together():
        mine = {index: _read_file(looked_at, files[index]) for index in range(comm.rank, len(files), comm.size)}
    heard = {index: told for share in comm.allgather(mine) for index, told in share.items()}
    dealt = [(file, group, count) for file in range(len(files)) for group, count in enumerate(heard[file][0])]
    deal = share_of(dealt, comm.rank, comm.size)
    with comm.together():
        there = [heard[file][2] for file in range(len(files))]
        known(wanted or (), dict.fromkeys(name for file in range(len(files)) for name in heard[file][1]), f"{path}")
        schema = united(there, files)
        schema = pl.Schema({name: schema[name] for name in wanted or schema})
        frames = [pl.DataFrame(schema=schema)]
        for file in dict.fromkeys(file for file, _, _ in deal):
            has = [name for name in schema if name in there[file]]
            groups = [group for owner, group, _ in deal if owner == file]
            frame = from_table(_read_file(read, files[file], groups, has))
            if frame.schema != schema:
                rows = sum(count for owner, _, count in deal if owner == file)
                frame = frame if has else pl.DataFrame({name: pl.repeat(None, rows, eager=True) for name in schema})
                frame = like(frame.lazy(), frame.schema, schema).collect()
            frames.append(frame)
        return pl.concat(frames, rechunk=True)


def place(path: str | Path) -> Path | Remote:
    """A path of a file system that is mounted here, or an address of what is elsewhere."""
    if isinstance(path, str) and (remote := address(path)):
        return remote
    if isinstance(path, Path) and re.match(r"(s3|https?):/", str(path)):  # Path makes one slash of two
        raise InputError(
            "an address is given as text, not as a path",
            found=_without_secret(str(path)),
            expected='"s3://…" or "https://…"',
        )
    return local_path(path)


def local_path(path: str | Path) -> Path:
    """The path, if it is one of a file system that is mounted here."""
    if not isinstance(path, str | os.PathLike):
        raise InputError("a path is wanted", found=repr(path), expected="the path of a file or of a folder")
    text = os.fspath(path)
    # Path makes one slash of two.
    if scheme := REMOTE.match(text) or re.match(r"(s3|gs|gcs|az|abfss?|https?|ftp|hdfs|file):/", text):
        raise InputError(
            f"{scheme[0].rstrip('/')} paths are not read or written, only those of a mounted file system",
            found=_without_secret(text),
            expected="a path such as /data/table.parquet",
            fix="give the path alone" if scheme[0].startswith("file") else "copy the files to where all ranks see them",
        )
    return Path(text)


def _without_secret(address: str) -> str:
    """An address to be shown: without a name and a password, and without what follows a question mark."""
    return re.sub(r"/[^/@]*:.*@", "/", address.split("?")[0])


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
    folder, files = found(path, pattern)
    inner = {part for file in files for part in file.relative_to(folder).parts[:-1]}
    partitions = sorted(name for name in inner if HIVE.fullmatch(name))
    if partitions:
        column = partitions[0].split("=")[0]
        raise InputError(
            f"the files are parted by {column!r}, whose values stand in the names of folders only: these are not read",
            where=folder,
            found=", ".join(partitions[:3]) + (", …" if len(partitions) > 3 else ""),
            expected=f"a folder of {pattern}, or a pattern without such folders",
            fix=f"read one of them, {folder / partitions[0]}, and add its value with with_columns, "
            f"or write the table with {column!r} as a column",
        )
    return files


def _read_file(read: Callable, file: Path | Remote, *arguments: object) -> object:
    try:
        return read(file, *arguments)
    except (pa.ArrowException, pl.exceptions.PolarsError, LookupError, ValueError, OSError) as error:
        raise InputError(f"cannot read this file: {error}", where=file) from error
