"""A rank's share of what a step of a plan gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from deeprc.frames.lazy.deal import Deal, Size
from deeprc.frames.lazy.step import Step


@dataclass(frozen=True)
class Parted:
    """Rows in parts.

    Parameters
    ----------
    rows
        All of them: what was made of these since has no such parts any more.
    parts
        Where the rows are dealt by keys, those of equal keys are in one part.
    """

    rows: pl.LazyFrame
    parts: tuple[pl.LazyFrame, ...]


@dataclass(frozen=True)
class Piece:
    """A rank's share of a step's result.

    Parameters
    ----------
    rows
        The rows; not computed yet, as long as no other rank asks for them.
    deal
        Where the rows of all ranks are.
    size
        Of all of them.
    step
        How they came to be.
    ordered
        Whether the rows of all ranks, in rank order, come in the order that Polars would give them.
    held
        The rows, once they are computed.
    parted
        The rows in parts that have room in memory one after the other, where all have not (see `spilling`).
    """

    rows: pl.LazyFrame
    deal: Deal
    size: Size
    step: Step
    ordered: bool = True
    held: pl.DataFrame | None = None
    parted: Parted | None = None

    @property
    def parts(self) -> tuple[pl.LazyFrame, ...]:
        return self.parted.parts if self.parted is not None and self.parted.rows is self.rows else ()

    def mapped(self, made: Callable[[pl.LazyFrame], pl.LazyFrame]) -> tuple[pl.LazyFrame, Parted | None]:
        """What is made of the rows, and of each part of them."""
        rows = made(self.rows)
        return rows, Parted(rows, tuple(map(made, self.parts))) if self.parts else None

    @property
    def schema(self) -> pl.Schema:
        return self.rows.collect_schema()
