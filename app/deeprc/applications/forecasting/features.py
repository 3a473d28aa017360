"""From raw columns to model inputs: calendar, gaps, scale. Pure functions of one rank's rows and the others' edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from deeprc.applications.forecasting.step import DAY, HOUR, WEEK, TimeStep
from deeprc.core import exact

# Standard deviations of the training part, which itself holds none beyond the root of its length: a covariate farther
# off is broken, and must not blow up a forecast. (Such a target is refused by `check`.)
FAR = 1e4
GAP = "gap:"  # before a column's name: that of its interpolated rows (no covariate is called so: they begin with x:)


def calendar(ds: pl.Series, step: TimeStep, form: str = "circles") -> list[pl.Series]:
    """The calendar at the times `ds`: what changes from step to step.

    Parameters
    ----------
    form
        `circles`: points on circles (sine and cosine) of the hour for steps that are not whole days, the weekday for
        steps below a week, the month unless steps are years; `numbers`: see `_numbers`.
    """
    time = ds.dt
    if form == "numbers":
        return [part.cast(pl.Float32).alias(name) for name, part in _numbers(time, step).items()]
    angles = {}
    if step.us % DAY:
        angles["hour"] = (time.hour() + time.minute() / 60 + time.second() / 3600) / 24
    if step.us % WEEK:
        angles["weekday"] = (time.weekday() - 1) / 7
    if step.us or step.months % 12:
        angles["month"] = (time.month() - 1) / 12
    return [
        getattr(turn * 2 * math.pi, function)().cast(pl.Float32).alias(f"{name}_{function}")
        for name, turn in angles.items()
        for function in ("sin", "cos")
    ]


def _numbers(time: Any, step: TimeStep) -> dict[str, pl.Series]:
    """Numbers from -0.5 to 0.5, as in Informer's `utils/timefeatures.py` (Zhou et al. 2021, arXiv:2012.07436)."""
    told = {}
    if step.us % HOUR:
        told["minute"] = (time.minute() + time.second() / 60) / 59 - 0.5
    if step.us % DAY:
        told["hour"] = time.hour() / 23 - 0.5
    if step.us % WEEK:
        told["weekday"] = (time.weekday() - 1) / 6 - 0.5
    if step.us:
        told["day"] = (time.day() - 1) / 30 - 0.5
        told["day_of_year"] = (time.ordinal_day() - 1) / 365 - 0.5
    elif step.months % 12:
        told["month"] = (time.month() - 1) / 11 - 0.5
    return told


def edges(table: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The rows that other ranks need to fill gaps at their ends: of each part the first and last known of each column.

    Only of the first and the last series: no other goes on elsewhere.
    """
    ends = table.filter(pl.col("series").is_in([table["series"].first(), table["series"].last()]))
    rows = [
        ends.filter(pl.col(name).is_not_null()).group_by("part_begin").agg(pick.alias("row"))
        for name in columns
        for pick in (pl.col("row").first(), pl.col("row").last())
    ]
    return ends.filter(pl.col("row").is_in(pl.concat(rows)["row"].to_list()))


def fill(table: pl.DataFrame, others: list[pl.DataFrame], columns: list[str], max_gap: int) -> pl.DataFrame:
    """Fill the gaps of `columns` in this rank's rows; `others` are the `edges` of every rank.

    A gap of at most `max_gap` rows between two known values of the same part is interpolated linearly; a value of a
    later part is never used, or the past would know the future. A longer gap repeats the last known value (of any
    earlier part). Before the first known value of the target stands that value (no forecast begins there), of a
    covariate null. No value goes from one series to another. The column `usable` says where the target `y` is known or
    lies in a short gap.

    For each column `gap:<name>` counts, of an interpolated row, the rows since the last known value; elsewhere it is 0.
    What is interpolated knows the value that ends the gap: where a forecast begins within the gap or at its end, the
    value before the gap is the last one that it may see (`series.Series.known`).
    """
    own = pl.col("row").is_between(table["row"].first(), table["row"].last())
    both = pl.concat([table.with_columns(own=True), *(other.filter(~own).with_columns(own=False) for other in others)])
    row, filled = pl.col("row"), []
    for name in columns:
        known = pl.when(pl.col(name).is_not_null()).then(row)
        before, after = known.forward_fill(), known.backward_fill()
        earlier, later = pl.col(name).forward_fill(), pl.col(name).backward_fill()
        width = after - before
        line = earlier + (later - earlier) * (row - before) / width.cast(pl.Float64)
        short = (before >= pl.col("part_begin")) & (after < pl.col("part_end")) & (width.is_between(1, max_gap + 1))
        value = (
            pl.when(pl.col(name).is_not_null())
            .then(pl.col(name))
            .when(short)
            .then(line)
            .when(before >= pl.col("series_begin"))
            .then(earlier)
        )
        if name == "y":
            value = value.when(after < pl.col("series_end")).then(later)
        bridged = pl.when(pl.col(name).is_null() & short).then(row - before).fill_null(0).cast(pl.Int32)
        filled += [value.alias(name), bridged.alias(GAP + name)]
        if name == "y":
            filled.append((pl.col("y").is_not_null() | short.fill_null(False)).alias("usable"))
    return both.sort("row").with_columns(filled).filter("own").drop("own")


def fit(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Mean and standard deviation by which to scale: of each series and column, over its training rows without NaN.

    In exact sums, so that neither the number of ranks nor the processor shows. A column that stands still, or has no
    value, has a deviation of 1.

    Parameters
    ----------
    values
        Rows of one series after the other, float64 [rows, columns].
    begins
        The first row of each series.

    Returns
    -------
    numpy.ndarray
        float64 [series, columns, 2].
    """
    found = np.empty((len(begins), values.shape[1], 2))
    for number, rows in enumerate(np.split(values, begins[1:])):
        for column in range(values.shape[1]):
            known = rows[:, column]
            known = known[~np.isnan(known)]
            if not len(known):
                found[number, column] = 0.0, 1.0
                continue
            mean = exact.mean(known)
            spread = math.sqrt(exact.mean((known - mean) ** 2)) if known.min() < known.max() else 0.0
            short = float(f"{mean:.10g}")  # ten digits read well, where they lose nothing that the values tell
            mean = short if abs(short - mean) <= 1e-6 * spread else mean
            found[number, column] = mean, float(f"{spread:.10g}") or 1.0
    return found


def scale(table: pl.DataFrame, columns: list[str], scaler: np.ndarray) -> pl.DataFrame:
    """Subtract the mean and divide by the standard deviation, each series and column by its own; as float32.

    Before its first value, or without any, a covariate is its mean, 0. `scaler` as from `fit`.
    """
    number = table["series"].to_numpy()
    scaled = []
    for index, name in enumerate(columns):
        mean, spread = scaler[:, index, 0], scaler[:, index, 1]
        values = (table[name].to_numpy() - mean[number]) / spread[number]
        if name != "y":
            values = np.nan_to_num(values, nan=0.0, posinf=FAR, neginf=-FAR).clip(-FAR, FAR)
        scaled.append(pl.Series(name, values.astype(np.float32)))
    return table.with_columns(scaled)
