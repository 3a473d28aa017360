"""Rows from Parquet files, dealt to the ranks by row groups; what they hold is known before they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from deeprc.core.errors import InputError
from deeprc.frames.agreement import ARGUMENTS, describe
from deeprc.frames.communicator import Communicator
from deeprc.frames.io import _files, _read_file, local_path, share_of
from deeprc.frames.lazy.deal import DEALT, EVERYWHERE, ONE, Deal, Size, width
from deeprc.frames.lazy.ranks import Ranks

SMALL_BYTES = 4 * 2**20  # files of fewer bytes are read by every rank: cheaper than to send what one has read
FEW_RANKS = 128  # beyond it so many readers of one file are too many


@dataclass(frozen=True)
class Footer:
    """What a file's footer tells: rows of each row group, bytes of each column when they are decoded, columns."""

    groups: tuple[int, ...]
    bytes: dict[str, int]
    schema: pl.Schema


@dataclass(frozen=True, eq=False)
class Files:
    """Parquet files to be read.

    Parameters
    ----------
    path
        What was asked for.
    files, footers
        The files in their order, and what is in each.
    """

    path: str
    files: tuple[Path, ...]
    footers: tuple[Footer, ...]

    @property
    def schema(self) -> pl.Schema:
        return self.footers[0].schema

    @property
    def rows(self) -> int:
        return sum(sum(footer.groups) for footer in self.footers)

    @property
    def title(self) -> str:
        return f"SCAN {self.path}"

    def size(self, columns: Sequence[str]) -> Size:
        """Of these columns, decoded; text as much as its characters."""
        stored = sum(footer.bytes.get(name, 0) for footer in self.footers for name in columns)
        least = width({name: self.schema[name] for name in columns})
        return Size(self.rows, max(stored / max(self.rows, 1), least if self.rows else 1))

    def share(self, columns: Sequence[str], ranks: Ranks) -> tuple[pl.LazyFrame, Deal, Size]:
        """This rank's rows, not read yet; where all of them are, and their size."""
        size = self.size(columns)
        if ranks.size == 1:
            deal = Deal(ONE)
        else:
            small = size.bytes <= SMALL_BYTES and ranks.size <= FEW_RANKS
            deal = Deal(EVERYWHERE if small else DEALT)
        if not ranks.real:
            return pl.LazyFrame(schema={name: self.schema[name] for name in columns}), deal, size
        return self._scanned(deal, ranks).select(columns), deal, size

    def _scanned(self, deal: Deal, ranks: Ranks) -> pl.LazyFrame:
        if deal.how in (EVERYWHERE, ONE):
            return pl.scan_parquet(list(self.files), glob=False)
        groups = [
            (file, index, rows) for file, footer in enumerate(self.footers) for index, rows in enumerate(footer.groups)
        ]
        mine = share_of(groups, ranks.comm.rank, ranks.size)
        scans = [
            self._file(file, [index for owner, index, _ in mine if owner == file])
            for file in dict.fromkeys(g[0] for g in mine)
        ]
        return pl.concat(scans) if scans else pl.LazyFrame(schema=self.schema)

    def _file(self, file: int, groups: Sequence[int]) -> pl.LazyFrame:
        """Consecutive row groups of a file; Polars skips what is before and after them."""
        rows, scan = self.footers[file].groups, pl.scan_parquet(self.files[file], glob=False)
        if len(groups) == len(rows):
            return scan
        return scan.slice(sum(rows[: groups[0]]), sum(rows[index] for index in groups))


def parquet(path: str | Path, comm: Communicator) -> Files:
    """The files that a path means, with their footers; every rank reads some of these, and knows all of them.

    Raises
    ------
    InputError
        On every rank, when there is no such file, or one cannot be read or has other columns than the first.
    """
    with comm.together("scan_parquet") as same:
        same[ARGUMENTS] = f"scan_parquet({str(path)!r})"
        files = _files(local_path(path), "*.parquet") if comm.rank == 0 else []
    files = comm.bcast(files)
    with comm.together():
        mine = {index: _read_file(_footer, files[index]) for index in range(comm.rank, len(files), comm.size)}
    known = {index: footer for share in comm.allgather(mine) for index, footer in share.items()}
    footers = tuple(known[index] for index in range(len(files)))
    with comm.together():
        for file, footer in zip(files, footers, strict=True):
            if footer.schema != footers[0].schema:
                raise InputError(
                    "the columns differ from those of the first file",
                    where=file,
                    found=describe(footer.schema),
                    expected=f"{describe(footers[0].schema)} ({files[0]})",
                    fix="write the files alike",
                )
    return Files(str(path), tuple(files), footers)


def _footer(file: Path) -> Footer:
    meta = pq.read_metadata(file)
    groups = [meta.row_group(index) for index in range(meta.num_row_groups)]
    sizes: dict[str, int] = {}
    for group in groups:
        for index in range(group.num_columns):
            chunk = group.column(index)
            name = chunk.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + chunk.total_uncompressed_size
    return Footer(tuple(group.num_rows for group in groups), sizes, pl.read_parquet_schema(file))
