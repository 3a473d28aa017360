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

from deeprc.frames.wideint import LIMBS, absolute, added, carried, limbs, quotients, shifted, square

BIN = 8  # powers of two in a bin: a value is a whole number below 2^61 times 2^(8 bin)
HALF = 30  # bits of the lower part of such a number: the products of the parts stay within 64 bits
WHOLE = 2.0**60  # integers up to here are whole numbers as they are, all of one bin
NEAR = 2  # bins by which a group's may differ for its sums to be taken together with those of all others
MANY = 2**26  # rows of a group; n (n - 1) is a whole number as Float64, too
GROUPS = 2**13  # taken at a time: what is made on the way stays in the cache
SMALLEST = 2.0**-1021  # below it floats have fewer bits
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
    `whole` Σw, `high` Σa², `cross` Σab, `low` Σb² (Int128), `count` of the values, `odd` of those that are not numbers.
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
    sums = [pl.col(sum_).sum() for sum_ in SUMS]
    spread = (pl.col("bin").max() - pl.col("bin").min()).alias("spread")
    groups = partial.lazy().group_by(by).agg(*sums, pl.col("bin").min(), spread).collect(engine="streaming")
    several = groups["spread"] > 0
    one = groups.filter(~several) if several.any() else groups
    found = [_of_rows(one.select(by), one, np.ones(one.height, np.int64), name)]
    if one.height < groups.height:
        rest = partial.join(groups.filter(several).select(by), on=by, how="semi", nulls_equal=True)
        groups = rest.lazy().with_row_index("row").group_by(by).agg("row").collect(engine="streaming")
        ordered = rest.select("bin", *SUMS)[groups["row"].explode()]
        found.append(_of_rows(groups.select(by), ordered, groups["row"].list.len().to_numpy().astype(np.int64), name))
    return pl.concat(found)


def _of_rows(keys: pl.DataFrame, partial: pl.DataFrame, rows: np.ndarray, name: str) -> pl.DataFrame:
    """The variances of groups that have the next `rows` partial sums each."""
    values, ends = np.empty(len(rows)), np.cumsum(rows)
    known = np.empty(len(rows), bool)
    for first in range(0, len(rows), GROUPS):
        part = slice(first, first + GROUPS)
        start = int(ends[first] - rows[first])
        sums = partial.slice(start, int(ends[part][-1]) - start)
        values[part], known[part] = _of_part(sums, rows[part])
    return keys.with_columns(pl.Series(name, values).set(pl.Series(~known), None))


def _of_part(partial: pl.DataFrame, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The variances, and which of the groups have one."""
    starts = np.cumsum(rows) - rows
    bins = partial["bin"].to_numpy().astype(np.int64)
    lowest = np.minimum.reduceat(bins, starts)
    steps = bins - np.repeat(lowest, rows)
    n, odd = (np.add.reduceat(partial[sum_].to_numpy(), starts) for sum_ in ("count", "odd"))
    values, sure = _in_limbs(partial, steps, starts, n)
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(values, 2 * BIN * lowest)
    sure &= (np.maximum.reduceat(steps, starts) <= NEAR) & (n < MANY) & ((scaled >= SMALLEST) | (values == 0))
    sure |= (n < 2) | (odd > 0)
    scaled[odd > 0] = math.nan
    if not sure.all():
        rest = np.flatnonzero(~sure)
        of_rest = np.repeat(~sure, rows)
        scaled[rest] = _exactly(partial.filter(of_rest), steps[of_rest], rows[rest], n[rest], lowest[rest])
    return scaled, n > 1


def _in_limbs(
    partial: pl.DataFrame, steps: np.ndarray, starts: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """n Σx² - (Σx)² divided by n (n - 1), for all groups at once, and whether each is sure to be right to the last bit.

    It is not for groups of many rows, or whose bins are far from each other.
    """
    whole, high, cross, low = (limbs(partial[name]) for name in SUMS[:4])
    whole = carried(whole)
    squares = carried(added(shifted(high, 2 * HALF), shifted(cross, HALF + 1), low))
    for step in range(1, NEAR + 1):
        at = np.flatnonzero(steps == step)
        for number, by in ((whole, BIN * step), (squares, 2 * BIN * step)) if len(at) else ():
            for limb, moved in zip(number, carried(shifted([limb[at] for limb in number], by)), strict=True):
                limb[at] = moved
    if len(starts) < len(steps):
        whole, squares = ([np.add.reduceat(limb, starts) for limb in number] for number in (whole, squares))
    few = np.clip(n, 2, MANY)
    sum_squared = square(absolute(carried(whole, LIMBS // 2)))
    above = [limb * few - other for limb, other in zip(carried(squares), sum_squared, strict=True)]
    return quotients(carried(above), (few * (few - 1)).astype(np.float64))


def _exactly(
    partial: pl.DataFrame, steps: np.ndarray, rows: np.ndarray, n: np.ndarray, lowest: np.ndarray
) -> list[float]:
    """The same by Python's whole numbers of any length, group by group."""
    starts = np.cumsum(rows) - rows
    shift = (BIN * steps).astype(object)
    whole, high, cross, low = (np.array(partial[name].to_list(), dtype=object) for name in SUMS[:4])
    squares = (high << 2 * HALF) + (cross << HALF + 1) + low
    n = n.astype(object)
    above = n * np.add.reduceat(squares << 2 * shift, starts) - np.add.reduceat(whole << shift, starts) ** 2
    power = (2 * BIN * lowest).tolist()
    return [_ratio(up, of * (of - 1), scale) for up, of, scale in zip(above, n, power, strict=True)]


def _ratio(above: int, below: int, power: int) -> float:
    """above / below * 2^power, rounded once."""
    try:
        return (above << power) / below if power >= 0 else above / (below << -power)
    except OverflowError:
        return math.inf
