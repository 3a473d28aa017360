"""How a basin's time is split, and which windows each part has.

A window is `window` days of weather that end on the day whose discharge is wanted. It belongs to the part of that last
day. So a window of the test part may reach back into weather of the validation part, which is known when a forecast of
the test part is made; discharge is never an input, so that no target of one part is seen by another.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from deeprc.applications.base.split import PARTS
from deeprc.applications.hydrology.config import DataConfig
from deeprc.core.errors import InputError


def boundaries(first: date, last: date, config: DataConfig) -> tuple[date, date]:
    """The first day of the validation part and of the test part.

    Parameters
    ----------
    first, last
        The first and the last day with observed discharge.
    """
    if config.split_dates:
        return config.split_dates
    days = (last - first).days + 1
    train, val = config.split
    return first + timedelta(round(days * train)), first + timedelta(round(days * (train + val)))


def part(day: pl.Expr, val_from: pl.Expr, test_from: pl.Expr) -> pl.Expr:
    """The part that each day belongs to; days before the first observed one (warm-up weather) belong to `train`."""
    return (
        pl.when(day < val_from)
        .then(pl.lit("train"))
        .when(day < test_from)
        .then(pl.lit("val"))
        .otherwise(pl.lit("test"))
    )


def complete(basins: np.ndarray, days: np.ndarray, known: np.ndarray, window: int) -> np.ndarray:
    """Which rows end a window of `window` consecutive days whose weather is all known.

    Parameters
    ----------
    basins, days, known
        Of each row, sorted by basin and day: the basin, the day as datetime64[D], whether all its inputs are there.

    Returns
    -------
    bool array, shape (rows,)
    """
    rows = np.arange(len(days))
    fresh = np.ones(len(days), bool)  # rows that do not continue the row before
    fresh[1:] = (basins[1:] != basins[:-1]) | (np.diff(days) != np.timedelta64(1, "D"))
    # A run of good days begins at a fresh row, or after a row with a gap.
    begin = np.maximum.accumulate(np.where(known, np.where(fresh, rows, 0), rows + 1))
    return known & (rows - begin + 1 >= window)


def refuse_too_few(
    basin: str, parts: np.ndarray, usable: np.ndarray, window: int, where: object, known: np.ndarray | bool = True
) -> dict[str, int]:
    """The number of windows of each part of a basin.

    Parameters
    ----------
    parts, usable
        Of each day: its part, and whether it ends a complete window and has observed discharge.
    known
        Of each day: whether all its inputs are there.

    Raises
    ------
    InputError
        When a part has none.
    """
    counts = {name: int(((parts == name) & usable).sum()) for name in PARTS}
    for name, count in counts.items():
        if not count:
            raise InputError(
                f"too few days for the windows: the {name} part of the basin {basin!r} has none",
                where=where,
                found=f"{(parts == name).sum()} days in this part, {len(parts)} in all"
                + ("" if np.all(known) else f", {(~known).sum()} of them without one of the inputs"),
                expected=f"at least one day with discharge, after {window - 1} days whose weather is complete",
                fix="shorten 'window', move 'split', or leave the basin out (key 'basins')",
            )
    return counts
