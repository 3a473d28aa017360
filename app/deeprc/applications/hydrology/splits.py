"""How a basin's time is split, and which windows each part has.

A window is `window` days of weather that end on the day whose discharge is wanted. It belongs to the part of that last
day. So a window of the test part may reach back into weather of the validation part, which is known when a forecast of
the test part is made; discharge is never an input, so that no target of one part is seen by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from deeprc.applications.base.split import PARTS
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets.base import Basin
from deeprc.core.errors import InputError, unknown

HELD_OUT = "held-out"


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


def part(day: pl.Expr, val_from: pl.Expr, test_from: pl.Expr, held_out: pl.Expr | None = None) -> pl.Expr:
    """The part that each day belongs to; days before the first observed one (warm-up weather) belong to `train`.

    Basins that are `held_out` have no part to learn from: what would be one is HELD_OUT.
    """
    return (
        pl.when(day >= test_from)
        .then(pl.lit("test"))
        .when(pl.lit(False) if held_out is None else held_out)
        .then(pl.lit(HELD_OUT))
        .when(day < val_from)
        .then(pl.lit("train"))
        .otherwise(pl.lit("val"))
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
    basin: str,
    parts: np.ndarray,
    usable: np.ndarray,
    window: int,
    where: object,
    known: np.ndarray | bool = True,
    needed: Sequence[str] = PARTS,
) -> dict[str, int]:
    """The number of windows of each part of a basin.

    Parameters
    ----------
    parts, usable
        Of each day: its part, and whether it ends a complete window and has observed discharge.
    known
        Of each day: whether all its inputs are there.
    needed
        The parts.

    Raises
    ------
    InputError
        When a part has none.
    """
    counts = {name: int(((parts == name) & usable).sum()) for name in needed}
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


def refuse_held_out(abouts: Sequence[Basin], held_out: Sequence[str]) -> None:
    """Refuse to hold out basins that no network could tell anything of.

    Raises
    ------
    InputError
        For one that is not there, has no attributes, or of whose kind (inputs and unit) none is left to learn from.
    """
    known = {about.basin: about for about in abouts}
    learned = [about for about in abouts if about.basin not in held_out]
    for basin in held_out:
        if basin not in known:
            raise unknown("basin", basin, list(known), where="key 'held_out'")
        about = known[basin]
        if not about.attributes:
            raise InputError(
                f"the basin {basin!r} cannot be held out: without attributes, networks know basins by their names",
                where="key 'held_out'",
                found=f"no attributes in this data set: {', '.join(list(known)[:5])}",
                fix="give a table of attributes (key 'attributes' of dataset csv), or hold out none",
            )
        if not any((other.unit, other.inputs) == (about.unit, about.inputs) for other in learned):
            raise InputError(
                f"the basin {basin!r} cannot be held out: none with its inputs and its unit is left to learn from",
                where="key 'held_out'",
                found=f"{', '.join(about.inputs)}; {about.unit}",
                fix="hold out fewer basins",
            )
