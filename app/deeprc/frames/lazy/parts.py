"""Steps for which the order of the rows counts, computed by parts: by key, by number, by the nearest row of another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from deeprc.frames.lazy.nodes import One
from deeprc.frames.lazy.several import Two


@dataclass(frozen=True, eq=False, kw_only=True)
class Keyed(One):
    """What Polars makes of all rows of a key, in their order; the order of the result is left open.

    Parameters
    ----------
    keys
        Columns of the input; columns of these names in the result have the same values.
    call, what
        What is done to the rows of whole keys, and how a person calls it.
    """

    keys: tuple[str, ...]
    call: Callable[[pl.LazyFrame], pl.LazyFrame]
    what: str

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self.call(rows)

    @property
    def title(self) -> str:
        return f"{self.what} BY {', '.join(self.keys)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Numbered(One):
    """The number of each row over all ranks, in a first column.

    Parameters
    ----------
    hidden
        Whether the plan needs it, and not the user: of 64 bits then, in a last column.
    """

    name: str
    offset: int
    hidden: bool = False

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return self.numbered(rows, 0)

    def numbered(self, rows: pl.LazyFrame, before: int) -> pl.LazyFrame:
        """The rows of a rank, before which there are so many."""
        offset = self.offset + before
        if self.hidden:
            return rows.with_columns(pl.int_range(offset, offset + pl.len(), dtype=pl.Int64).alias(self.name))
        return rows.with_row_index(self.name, offset)

    @property
    def title(self) -> str:
        return f"WITH ROW INDEX {self.name}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample(One):
    """Rows drawn without replacement, in their order; the same ones on any number of ranks.

    Parameters
    ----------
    n, fraction
        How many rows, or which part of them: one of both.
    """

    n: int | None
    fraction: float | None
    seed: int

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows

    @property
    def title(self) -> str:
        return f"SAMPLE {self.fraction if self.n is None else self.n}, seed {self.seed}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Asof(Two):
    """Each row of the left side with the nearest one of the right side; the rows keep their order.

    Parameters
    ----------
    left_by, right_by
        The keys whose rows alone are looked at.
    options
        Polars' other arguments.
    """

    left_by: tuple[str, ...]
    right_by: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def made(self, left: pl.LazyFrame, right: pl.LazyFrame) -> pl.LazyFrame:
        by = {"by_left": list(self.left_by), "by_right": list(self.right_by)} if self.left_by else {}
        return left.join_asof(right, **by, **self.options)

    @property
    def title(self) -> str:
        told = {name: value for name, value in self.options.items() if value is not None}
        by = f" BY {', '.join(self.left_by)}" if self.left_by else ""
        return f"ASOF JOIN{by} " + ", ".join(f"{name}={value}" for name, value in told.items())
