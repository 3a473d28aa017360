"""How rows are dealt to the ranks: what an exchange costs, and when none is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

DEALT, HASHED, EVERYWHERE, ONE = "dealt", "by hash", "everywhere", "on rank 0"
SPREAD_BYTES = 256 * 2**20  # a side that is larger is never sent to every rank
LITTLE_BYTES = 2**20  # rows that need no ranks: these are brought together in one message from each
WIDTHS = {pl.String: 24, pl.Binary: 24, pl.Boolean: 1, pl.Decimal: 16, pl.Date: 4, pl.List: 40, pl.Struct: 32}


@dataclass(frozen=True)
class Deal:
    """Where the rows are.

    Parameters
    ----------
    how
        `dealt`: any row on any one rank; `by hash`: on the rank that the hash of its keys names, so that rows of equal
        keys are together; `everywhere`: all rows on every rank; `on rank 0`: all of them there.
    keys
        The keys of the hash in order; each has the names of all columns that hold its values.
    borders
        Where the rank is not that of a hash, but of the range of the one key: rank `r` has the values from
        `borders[r - 1]` on and below `borders[r]`, in their physical form; the first one has nulls, too.
    """

    how: str = DEALT
    keys: tuple[frozenset[str], ...] = ()
    borders: tuple[int, ...] | None = None

    def renamed(self, names: Mapping[str, str]) -> Deal:
        """The deal of rows whose columns are called otherwise: `names` has the old name by each new one."""
        if self.how != HASHED:
            return self
        keys = tuple(frozenset(new for new, old in names.items() if old in key) for key in self.keys)
        return replace(self, keys=keys) if all(keys) else Deal()

    def together(self, columns: Sequence[str]) -> bool:
        """Whether rows that are equal in these columns are on the same rank."""
        if self.how in (EVERYWHERE, ONE):
            return True
        return self.how == HASHED and all(key & set(columns) for key in self.keys)

    def like(self, other: Deal) -> bool:
        """Whether equal keys of both are on the same rank, where the keys are at the same places."""
        return self.how == other.how == HASHED and self.borders == other.borders

    def places(self, columns: Sequence[str]) -> list[int] | None:
        """Which of these columns are the keys of the hash, in its order; None if not all keys are among them."""
        if self.how != HASHED:
            return None
        found = [next((i for i, name in enumerate(columns) if name in key), None) for key in self.keys]
        return None if None in found else found


@dataclass(frozen=True)
class Size:
    """Rows over all ranks (of one copy, where they are everywhere), and bytes in each.

    Parameters
    ----------
    share
        Which part of the rows that were read is left: of what is joined with them about as much will be.
    """

    rows: float
    width: float
    measured: bool = field(default=False, compare=False)
    share: float = 1.0

    @property
    def bytes(self) -> float:
        return self.rows * self.width

    @property
    def read(self) -> float:
        """The number of rows before predicates left this share."""
        return self.rows / self.share if self.share else 0.0

    def part(self, share: float) -> Size:
        return Size(self.rows * share, self.width, share=self.share * share)

    def wide(self, before: pl.Schema, after: pl.Schema) -> Size:
        """The same rows with other columns."""
        return replace(self, width=self.width * width(after) / max(width(before), 1), measured=False)

    def counted(self, rows: float, bytes: float) -> Size:
        """What was measured in the place of this estimate."""
        share = min(rows / self.read, 1.0) if self.read else 1.0
        return Size(rows, bytes / max(rows, 1), measured=True, share=share)


def width(schema: Mapping[str, pl.DataType]) -> float:
    """About how many bytes a row has."""
    return sum(WIDTHS.get(kind.base_type(), 8) for kind in schema.values())


def hashed(keys: Sequence[str], borders: tuple[int, ...] | None = None) -> Deal:
    return Deal(HASHED, tuple(frozenset([name]) for name in keys), borders)


def spreads(small: Size, other: Size, ranks: int) -> bool:
    """Whether it is cheaper to send one side of a join to every rank than to deal both by their keys.

    Every rank then has the whole side to look through: it may be as large as a rank's share of the other.
    """
    return small.bytes <= SPREAD_BYTES and small.bytes * ranks <= other.bytes + small.bytes


def is_little(size: Size) -> bool:
    """Whether rows are so few that one rank computes with them as fast as all."""
    return size.bytes <= LITTLE_BYTES
