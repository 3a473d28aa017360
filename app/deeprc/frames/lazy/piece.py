"""A rank's share of what a step of a plan gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
class InReach:
    """Few rows, which every rank of the node can read where each of them has written its own.

    Parameters
    ----------
    held
        This rank's: what was made of these since is not in reach.
    everything
        Makes a frame of those of all ranks, in the order of the ranks.
    """

    held: pl.DataFrame
    everything: Callable[[], pl.DataFrame]


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
    counted
        Whether all ranks know of the rows that are held; else each has computed its own, and no other knows yet.
    in_reach
        The rows of all ranks, where they are few.
    """

    rows: pl.LazyFrame
    deal: Deal
    size: Size
    step: Step
    ordered: bool = True
    held: pl.DataFrame | None = None
    parted: Parted | None = None
    counted: bool = True
    in_reach: InReach | None = None

    @property
    def everything(self) -> Callable[[], pl.DataFrame] | None:
        """Makes a frame of the rows of all ranks; None where they are not in reach."""
        return self.in_reach.everything if self.in_reach is not None and self.in_reach.held is self.held else None

    def only(self, columns: Sequence[str]) -> Callable[[], pl.DataFrame] | None:
        """The same with some columns."""
        everything = self.everything
        return None if everything is None else lambda: everything().select(columns)

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
