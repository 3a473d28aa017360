"""Rows from Parquet and Arrow files, dealt to the ranks by row groups; what they hold is known before they are read."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from pathlib import Path
from weakref import WeakKeyDictionary

import polars as pl

from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator
from deeprc.frames.io import _read_file
from deeprc.frames.lazy.changed import check
from deeprc.frames.lazy.cuts import NEAR, Cut, overlaps
from deeprc.frames.lazy.deal import DEALT, EVERYWHERE, ONE, Deal, Size, hashed, width
from deeprc.frames.lazy.drift import like, united
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.footers import KINDS, Footer, Range, in_order
from deeprc.frames.lazy.listing import Listing, listed, of_type, typed
from deeprc.frames.lazy.ranks import Ranks
from deeprc.frames.remote.found import FILE, Found
from deeprc.frames.remote.location import Remote

SMALL_BYTES = 4 * 2**20  # files of fewer bytes are read by every rank: cheaper than to send what one has read
MOST = 64  # scans are remembered
UNREADABLE = "(?i)parquet|thrift|ipc|arrow|out.of.spec|compress|corrupt|flatbuffer"  # of a file, and of no value in it
FEW_RANKS = 128  # beyond it so many readers of one file are too many

Sign = tuple[int, int, int] | Found  # a file's number, size and time: by these it is seen to be the same
_KNOWN: WeakKeyDictionary[Communicator, dict] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Files:
    """Files to be read.

    Parameters
    ----------
    path, kind
        What was asked for: `parquet` or `arrow` files.
    schema
        The columns of the files, and then those that stand in the names of folders only.
    files, footers
        The files in their order, and what is in each.
    values
        A row per file: the columns in the names of its folders.
    signs
        What the files were when their footers were read.
    """

    path: str
    kind: str
    schema: pl.Schema
    files: tuple[Path | Remote, ...]
    footers: tuple[Footer, ...]
    values: pl.DataFrame
    signs: tuple[Sign, ...]

    @property
    def rows(self) -> int:
        return sum(sum(footer.groups) for footer in self.footers)

    @functools.cached_property
    def groups(self) -> list[int]:
        """The rows of each row group of all files."""
        return [rows for footer in self.footers for rows in footer.groups]

    @functools.cached_property
    def ranges(self) -> dict[str, list[Range]]:
        """Of columns by whose values the row groups of all files are in order: the least and the largest of each."""
        known = [set(footer.ranges) for footer in self.footers if footer.groups]
        common = sorted(set.intersection(*known)) if known else ()
        joined = {
            name: [each for footer in self.footers for each in footer.ranges.get(name, ())] for name in sorted(common)
        }
        return {name: ranges for name, ranges in joined.items() if in_order(ranges)}

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
        files, footers, signs = (
            tuple(each for each, is_kept in zip(listed, kept, strict=True) if is_kept)
            for listed in (self.files, self.footers, self.signs)
        )
        values = self.values.filter(pl.Series(kept, dtype=pl.Boolean))
        return replace(self, files=files, footers=footers, values=values, signs=signs)

    def size(self, columns: Sequence[str]) -> Size:
        """Of these columns, decoded; text as much as its characters."""
        stored = sum(footer.bytes.get(name, 0) for footer in self.footers for name in columns)
        least = width({name: self.schema[name] for name in columns})
        return Size(self.rows, max(stored / max(self.rows, 1), least if self.rows else 1))

    def small(self, columns: Sequence[str], ranks: int) -> bool:
        """Whether every rank reads all rows."""
        return self.size(columns).bytes <= SMALL_BYTES and ranks <= FEW_RANKS

    def share(self, columns: Sequence[str], ranks: Ranks, cut: Cut | None = None) -> tuple[pl.LazyFrame, Deal, Size]:
        """This rank's rows, not read yet; where all of them are, and their size. `cut`: by ranges of a column."""
        size = self.size(columns)
        if ranks.size == 1:
            deal = Deal(ONE)
        elif cut is not None:
            deal = hashed([cut.column], cut.borders).renamed({name: name for name in columns})
        elif self.small(columns, ranks.size):
            deal = Deal(EVERYWHERE)
        else:
            deal = Deal(DEALT)
        if not ranks.real:
            return empty({name: self.schema[name] for name in columns}), deal, size
        ranks.suspects.append(lambda error: self._look(error, columns))
        if not any(isinstance(file, Remote) for file in self.files):
            rows = ranks.comm.later(lambda: self._share(deal, ranks, cut), lambda: empty(self.schema))
            return rows.select(columns), deal, size
        with ranks.comm.together():  # a server that gives no parts is asked for whole files here
            rows = self._share(deal, ranks, cut).select(columns)
        return rows, deal, size

    def _share(self, deal: Deal, ranks: Ranks, cut: Cut | None) -> pl.LazyFrame:
        if deal.how in (EVERYWHERE, ONE):
            return self._all()
        return self._dealt(ranks) if cut is None else self._between(cut, ranks)

    def _all(self) -> pl.LazyFrame:
        self._check(range(len(self.files)))
        if self.files and not self.values.width and all(each.schema == self.schema for each in self.footers):
            return KINDS[self.kind].scan(list(self.files))
        return self._concat([self._file(file, 0, sum(self.footers[file].groups)) for file in range(len(self.files))])

    def _dealt(self, ranks: Ranks) -> pl.LazyFrame:
        """Consecutive rows: whole row groups, where the ranks then have about as many."""
        first, end = (even(self.groups, rank, ranks.size) for rank in (ranks.comm.rank, ranks.comm.rank + 1))
        return self._concat(self._rows(first, end))

    def _between(self, cut: Cut, ranks: Ranks) -> pl.LazyFrame:
        """The rows of a range of a column; of row groups that reach over its ends, those that are in it."""
        low, high = cut.of(ranks.comm.rank)
        starts = [0, *accumulate(self.groups)]
        column, kind = pl.col(cut.column), self.schema[cut.column]
        low, high = (None if end is None else pl.lit(end).cast(pl.Int64).cast(kind) for end in (low, high))
        bounds = ([] if low is None else [column >= low]) + ([] if high is None else [column < high])
        parts: list[pl.LazyFrame] = []
        found = overlaps(self.ranges[cut.column], *cut.of(ranks.comm.rank))
        for reaches_over, groups in groupby(found, key=lambda one: one[1]):
            indices = [index for index, _ in groups]
            scans = self._rows(starts[indices[0]], starts[indices[-1] + 1])
            parts += [scan.filter(*bounds) for scan in scans] if reaches_over else scans
        return self._concat(parts)

    def _concat(self, parts: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
        return parts[0] if len(parts) == 1 else pl.concat(parts) if parts else empty(self.schema)

    def _rows(self, first: int, end: int) -> list[pl.LazyFrame]:
        """The rows of all files from one number to another."""
        found, before = [], 0
        for file, footer in enumerate(self.footers):
            count = sum(footer.groups)
            low, high = max(first - before, 0), min(end - before, count)
            if low < high:
                found.append((file, low, high))
            before += count
        self._check([file for file, _, _ in found])
        return [self._file(*each) for each in found]

    def _check(self, numbers: Sequence[int]) -> None:
        """Raise an InputError for a file whose rows are no longer those that were counted."""
        check([self.files[number] for number in numbers], [self.footers[number].look for number in numbers])

    def _look(self, error: Exception, columns: Sequence[str]) -> None:
        """Find the file that cannot be read, whose name Polars' error does not tell, by reading its row groups again.

        Raises
        ------
        InputError
            When there is one.
        """
        if not re.search(UNREADABLE, str(error)):
            return
        for number, file in enumerate(self.files):
            groups = self.footers[number].groups
            for first, rows in zip(accumulate(groups, initial=0), groups, strict=False):
                part = self._file(number, first, first + rows).select(columns)
                _read_file(lambda _, part=part: part.collect(), file)

    def _file(self, file: int, first: int, end: int) -> pl.LazyFrame:
        """Consecutive rows of a file; Polars skips the row groups before and after them."""
        scan = KINDS[self.kind].scan([self.files[file]])
        if end - first < sum(self.footers[file].groups):
            scan = scan.slice(first, end - first)
        parted = self.values.columns
        stored = {name: kind for name, kind in self.schema.items() if name not in parted}
        has = {name: kind for name, kind in self.footers[file].schema.items() if name not in parted}
        if list(has.items()) != list(stored.items()) and stored:
            scan = like(scan, has, stored)
        return scan.with_columns(
            pl.lit(column[file], dtype=column.dtype).alias(column.name) for column in self.values
        ).select(self.schema.names())


def even(groups: Sequence[int], rank: int, ranks: int) -> int:
    """The first row of a rank: where a row group begins, if its share is then about as large as the others'."""
    total = sum(groups)
    row = total * rank // ranks
    near = min((0, *accumulate(groups)), key=lambda start: abs(start - row))
    return near if abs(near - row) <= NEAR * total / ranks or rank in (0, ranks) else row


def files(path: str | Path, kind: str, comm: Communicator) -> Files:
    """The files that a path means, with their footers; every rank reads some of these, and knows all of them.

    Raises
    ------
    InputError
        On every rank, when there is no such file, one cannot be read or has columns that cannot be united.
    """

    def looked_at(same: dict[str, str]) -> tuple[Listing, tuple[Sign, ...]] | None:
        same[ARGUMENTS] = f"scan_{kind}({str(path)!r})"
        return _looked_at(path, kind) if comm.rank == 0 else None

    listing, signs = comm.told(f"scan_{kind}", looked_at)
    # What is there is looked at every time; files that have not changed are not read again.
    known, key = _KNOWN.setdefault(comm, {}), (str(path), kind, listing.files, signs)
    if key not in known:
        made = _read(str(path), kind, listing, signs, comm)
        if len(known) >= MOST:
            known.pop(next(iter(known)))
        known[key] = made  # on all ranks or on none: they go on together
    return known[key]


def _looked_at(path: str | Path, kind: str) -> tuple[Listing, tuple[Sign, ...]]:
    listing = listed(path, f"*.{kind}")
    looked_at = [_read_file(_sign, file) for file in listing.files]
    files = (
        replace(file, known=sign) if isinstance(file, Remote) else file
        for file, sign in zip(listing.files, looked_at, strict=True)
    )
    return replace(listing, files=tuple(files)), tuple(looked_at)


def _sign(file: Path | Remote) -> Sign:
    if isinstance(file, Remote):
        return file.state() or Found(FILE)
    stat = file.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _read(path: str, kind: str, listing: Listing, signs: tuple[Sign, ...], comm: Communicator) -> Files:
    found, count = listing.files, len(listing.files)
    with comm.together():
        mine = {at: _read_file(KINDS[kind].footer, found[at]) for at in range(comm.rank, count, comm.size)}
    known = {at: footer for share in comm.allgather(mine) for at, footer in share.items()}
    footers = tuple(known[at] for at in range(count))
    with comm.together():
        schema = united([footer.schema for footer in footers], found)
        parted = listing.values.columns
        alike = {
            name
            for name in schema
            if name not in parted and all(footer.schema.get(name) == schema[name] for footer in footers)
        }
        footers = tuple(
            replace(footer, ranges={name: each for name, each in footer.ranges.items() if name in alike})
            for footer in footers
        )
        values = listing.values.with_columns(  # of a column in the files, too, the folder's value holds, as in Polars
            of_type(texts, schema[texts.name], found[0])
            if texts.name in schema
            else typed(texts, {footer.folders.get(texts.name) for footer in footers})
            for texts in listing.values
        )
    schema = pl.Schema({**schema, **values.schema})
    return Files(path, kind, schema, found, footers, values, signs)
