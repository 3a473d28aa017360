"""Rows from Parquet and Arrow files, dealt to the ranks by row groups; what they hold is known before they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.agreement import ARGUMENTS, describe
from deeprc.frames.communicator import Communicator
from deeprc.frames.io import _read_file, share_of
from deeprc.frames.lazy.deal import DEALT, EVERYWHERE, ONE, Deal, Size, width
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.footers import KINDS, Footer
from deeprc.frames.lazy.listing import listed
from deeprc.frames.lazy.ranks import Ranks

SMALL_BYTES = 4 * 2**20  # files of fewer bytes are read by every rank: cheaper than to send what one has read
FEW_RANKS = 128  # beyond it so many readers of one file are too many


@dataclass(frozen=True, eq=False)
class Files:
    """Files to be read.

    Parameters
    ----------
    path, kind
        What was asked for: `parquet` or `arrow` files.
    schema
        The columns of the files, and then those that stand in the names of folders.
    files, footers
        The files in their order, and what is in each.
    values
        A row per file: the columns in the names of its folders.
    """

    path: str
    kind: str
    schema: pl.Schema
    files: tuple[Path, ...]
    footers: tuple[Footer, ...]
    values: pl.DataFrame

    @property
    def rows(self) -> int:
        return sum(sum(footer.groups) for footer in self.footers)

    @property
    def title(self) -> str:
        return f"SCAN {self.path}" + (f" ({len(self.files)} files)" if self.values.width else "")

    @property
    def parted(self) -> list[str]:
        """The columns that are the same in all rows of a file: by a predicate on these alone whole files fall away."""
        return self.values.columns

    def where(self, predicate: pl.Expr) -> Files:
        """The files whose rows fulfil a predicate on the columns in the names of folders."""
        kept = self.values.select(predicate.fill_null(False).alias("kept"))["kept"].to_list()
        files, footers = (
            tuple(each for each, is_kept in zip(listed, kept, strict=True) if is_kept)
            for listed in (self.files, self.footers)
        )
        return replace(self, files=files, footers=footers, values=self.values.filter(pl.Series(kept, dtype=pl.Boolean)))

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
            return empty({name: self.schema[name] for name in columns}), deal, size
        return self._scanned(deal, ranks).select(columns), deal, size

    def _scanned(self, deal: Deal, ranks: Ranks) -> pl.LazyFrame:
        counts = [footer.groups for footer in self.footers]
        groups = [(file, index, rows) for file, groups in enumerate(counts) for index, rows in enumerate(groups)]
        alone = deal.how in (EVERYWHERE, ONE)
        if alone and not self.values.width and self.files:
            return KINDS[self.kind].scan(list(self.files))
        mine = groups if alone else share_of(groups, ranks.comm.rank, ranks.size)
        owners = dict.fromkeys(file for file, _, _ in mine)
        scans = [self._file(file, [index for owner, index, _ in mine if owner == file]) for file in owners]
        return pl.concat(scans) if scans else empty(self.schema)

    def _file(self, file: int, groups: Sequence[int]) -> pl.LazyFrame:
        """Consecutive row groups of a file; Polars skips what is before and after them."""
        rows, scan = self.footers[file].groups, KINDS[self.kind].scan([self.files[file]])
        if len(groups) < len(rows):
            scan = scan.slice(sum(rows[: groups[0]]), sum(rows[index] for index in groups))
        return scan.with_columns(
            pl.lit(column[file], dtype=column.dtype).alias(column.name) for column in self.values
        ).select(self.schema.names())


def files(path: str | Path, kind: str, comm: Communicator) -> Files:
    """The files that a path means, with their footers; every rank reads some of these, and knows all of them.

    Raises
    ------
    InputError
        On every rank, when there is no such file, one cannot be read or has other columns than the first, or a column
        stands both in the files and in the names of folders.
    """
    with comm.together(f"scan_{kind}") as same:
        same[ARGUMENTS] = f"scan_{kind}({str(path)!r})"
        listing = listed(path, f"*.{kind}") if comm.rank == 0 else None
    listing = comm.bcast(listing)
    found, count = listing.files, len(listing.files)
    with comm.together():
        mine = {at: _read_file(KINDS[kind].footer, found[at]) for at in range(comm.rank, count, comm.size)}
    known = {at: footer for share in comm.allgather(mine) for at, footer in share.items()}
    footers = tuple(known[at] for at in range(count))
    with comm.together():
        for file, footer in zip(found, footers, strict=True):
            if footer.schema != footers[0].schema:
                raise InputError(
                    "the columns differ from those of the first file",
                    where=file,
                    found=describe(footer.schema),
                    expected=f"{describe(footers[0].schema)} ({found[0]})",
                    fix="write the files alike",
                )
        both = sorted(set(footers[0].schema) & set(listing.values.columns))
        if both:
            raise InputError(
                f"column {both[0]!r} stands in the files and in the names of their folders",
                where=found[0],
                fix="rename the column, or read the files by a pattern without these folders",
            )
    schema = pl.Schema({**footers[0].schema, **listing.values.schema})
    return Files(str(path), kind, schema, found, footers, listing.values)
