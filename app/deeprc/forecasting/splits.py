"""Train, validation and test by time, and whether the series is long enough for its windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from deeprc.errors import InputError

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Grid:
    """The regular times from the first to the last of the series, and where they are cut.

    Attributes
    ----------
    first, step, rows
        The first time, the distance between two, and how many there are.
    cuts
        Rows at which the validation and the test part begin.
    """

    first: datetime
    step: timedelta
    rows: int
    cuts: tuple[int, int]

    def row(self, column: str = "ds") -> pl.Expr:
        """The row of each time in `column`."""
        us = timedelta(microseconds=1)
        return (pl.col(column) - self.first).dt.total_microseconds() // (self.step // us)

    def time(self, row: int) -> datetime:
        """The time of a row."""
        return self.first + row * self.step

    def bounds(self, part: str) -> tuple[int, int]:
        """First row of a part, and the first one behind it."""
        edges = (0, *self.cuts, self.rows)
        index = PARTS.index(part)
        return edges[index], edges[index + 1]


def make_grid(
    first: datetime, last: datetime, step: timedelta, split: tuple[float, float], *, horizon: int, input_size: int,
    where: Path,
) -> Grid:  # fmt: skip
    """The grid of a series, cut into parts that are long enough for at least one window each."""
    rows = (last - first) // step + 1
    # Rounded first: 0.7 + 0.1 is a little less than 0.8.
    cuts = (int(rows * split[0]), int(rows * round(split[0] + split[1], 9)))
    grid = Grid(first, step, rows, cuts)
    for part in PARTS:
        begin, end = grid.bounds(part)
        # A forecast may start from hours of an earlier part, so only training must hold the whole window itself.
        needed = input_size + horizon if part == "train" else horizon
        if end - begin < needed:
            raise InputError(
                f"too few rows for the windows of the {part} part",
                where=where,
                found=f"{end - begin} rows of {rows} in all",
                expected=f"at least {needed} (input_size {input_size}, horizon {horizon})",
                fix="give more data, or a smaller horizon, input_size or another split",
            )
    return grid
