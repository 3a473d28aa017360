"""Variances of groups that depend neither on the order of the rows nor on the number of ranks: exact sums.

Every value is taken as Float64, as Polars takes it: a whole number times a power of two. The whole numbers of a group
and their squares are added as integers, by bins of eight powers of two, which no order of adding can round. Only the
last step rounds, n Σx² - (Σx)² divided by n (n - 1), and to the nearest float: the variance is right to the last bit,
and the deviation to the one before, whatever the mean is (epoch nanoseconds: as Float64 they are 256 ns apart).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

BIN = 8  # powers of two in a bin: a value is a whole number below 2^61 times 2^(8 bin)
HALF = 30  # bits of the lower part of such a number: the products of the parts stay within 64 bits
WHOLE = 2.0**60  # integers up to here are whole numbers as they are, all of one bin
SUMS = ("whole", "high", "cross", "low", "count", "odd")


def partial_sums(df: pl.DataFrame, by: Sequence[str], column: str) -> pl.DataFrame:
    """Exact sums of local rows.

    Parameters
    ----------
    by, column
        Names that are not those of the sums, nor "bin".

    Returns
    -------
    One row per group and bin: the keys, `bin`, and the sums over the values x = w 2^(8 bin) with w = a 2^30 + b:
    `whole` Σw, `high` Σa², `cross` Σab, `low` Σb² (Int128), `count` of the values, `odd` of those that are no numbers.
    """
    df = df.drop_nulls(column)
    values = df[column].cast(pl.Float64).to_numpy()
    finite = np.isfinite(values)
    odd = not finite.all()
    if odd:
        values = np.where(finite, values, 0.0)
    if df.schema[column].is_integer() and np.abs(values).max(initial=0.0) <= WHOLE:
        whole, bins = values.astype(np.int64), np.zeros(len(values), np.int16)
    else:
        fractions, powers = np.frexp(values)
        powers -= 53
        whole = (fractions * 2.0**53).astype(np.int64) << (powers % BIN).astype(np.int64)
        bins = (powers // BIN).astype(np.int16)
    high, low = whole >> HALF, whole & ((1 << HALF) - 1)
    rows = df.select(by).with_columns(
        bin=bins, whole=whole, high=high * high, cross=high * low, low=low * low, odd=~finite if odd else pl.lit(False)
    )
    wide = [pl.col(name).cast(pl.Int128).sum() for name in SUMS[:4]]
    sums = [*wide, pl.len().cast(pl.Int64).alias("count"), pl.col("odd").cast(pl.Int64).sum()]
    return rows.lazy().group_by([*by, "bin"]).agg(sums).collect(engine="streaming")


def variances(partial: pl.DataFrame, by: Sequence[str], name: str) -> pl.DataFrame:
    """The variance (Float64, as `name`) of each group, whose partial sums are all here; null below two values."""
    groups = partial.group_by(by).agg(pl.col("bin", *SUMS))
    keys = groups.select(by)
    if not groups.height:
        return keys.with_columns(pl.Series(name, [], pl.Float64))
    rows = groups["bin"].list.len().to_numpy().astype(np.int64)
    starts = np.cumsum(rows) - rows
    bins = groups["bin"].explode().to_numpy().astype(np.int64)
    lowest = np.minimum.reduceat(bins, starts)
    shift = (BIN * (bins - np.repeat(lowest, rows))).astype(object)
    whole, high, cross, low, count, odd = (np.array(groups[sum_].explode().to_list(), dtype=object) for sum_ in SUMS)
    squares = (high << 2 * HALF) + (cross << HALF + 1) + low
    n = np.add.reduceat(count, starts)
    above = n * np.add.reduceat(squares << 2 * shift, starts) - np.add.reduceat(whole << shift, starts) ** 2
    power = (2 * BIN * lowest).tolist()
    known = np.add.reduceat(odd, starts) == 0
    values = [
        None if of < 2 else _ratio(up, of * (of - 1), scale) if fine else math.nan
        for up, of, scale, fine in zip(above, n, power, known, strict=True)
    ]
    return keys.with_columns(pl.Series(name, values, pl.Float64))


def _ratio(above: int, below: int, power: int) -> float:
    """above / below * 2^power, rounded once."""
    try:
        return (above << power) / below if power >= 0 else above / (below << -power)
    except OverflowError:
        return math.inf
