"""Reductions of local groups.

Keys whose codes are dense (not many more possible codes than rows) index straight into arrays, one cell per group;
other keys are grouped by Polars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from deeprc.frames.codes import Range, bits, decode, encodable, encode, ranges

CELLS_PER_ROW = 4  # the most cells per row: beyond it the cells cost more memory and time than a hash table


@dataclass(frozen=True)
class Reduction:
    """One result column: `kind` of the group's values of `column`.

    Kinds: `len`, `count`, `sum`, `min`, `max`, `first`, `last`; `total`, the sum as a float; `squares`, the sum of
    squared distances from the group's mean; `merge_squares`, the latter of a union of parts (Chan, Golub, LeVeque:
    Updating formulae and a pairwise algorithm for computing sample variances, 1979).
    """

    name: str
    kind: str
    column: str
    others: tuple[str, ...] = ()  # `merge_squares`: the columns of counts and totals


def reduce_groups(df: pl.DataFrame, by: Sequence[str], wanted: Sequence[Reduction]) -> pl.DataFrame:
    """One row per group of local rows: the keys, and the reductions under their names.

    Types do not depend on the way taken: counts and sums of whole numbers are 64-bit integers, float sums Float64.
    """
    keys = [df[name] for name in by]
    if all(_is_dense_kind(reduction, df.schema[reduction.column]) for reduction in wanted) and all(
        encodable(key.dtype) and not key.dtype.is_float() for key in keys
    ):
        spans = ranges(keys)
        if bits(spans) <= 64 and 1 << bits(spans) <= CELLS_PER_ROW * df.height:
            return _in_cells(df, keys, spans, wanted)
    # Polars' streaming engine is two to three times faster on one thread, but does not keep the order in a group.
    engine = "in-memory" if {"first", "last"} & {reduction.kind for reduction in wanted} else "streaming"
    return df.lazy().group_by(by).agg(_expression(r, df.schema[r.column]) for r in wanted).collect(engine=engine)


def wide(dtype: pl.DataType) -> pl.DataType:
    """The type of a sum: 64 bits, so that many small numbers do not overflow."""
    if dtype == pl.UInt64 or not (dtype.is_integer() or dtype.is_float() or dtype == pl.Boolean):
        return dtype
    return pl.Float64() if dtype.is_float() else pl.Int64()


def _is_dense_kind(reduction: Reduction, dtype: pl.DataType) -> bool:
    if reduction.kind in ("len", "count"):
        return True
    number = dtype in (pl.Float64, pl.Float32, pl.Int64, pl.Int32)
    return number and reduction.kind not in ("first", "last")


def _expression(reduction: Reduction, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(reduction.column)
    match reduction.kind:
        case "len":
            value = pl.len().cast(pl.Int64)
        case "count":
            value = column.count().cast(pl.Int64)
        case "sum":
            value = column.cast(wide(dtype)).sum()
        case "total":
            value = column.cast(pl.Float64).sum()
        case "squares":
            value = column.cast(pl.Float64).var(ddof=0).fill_null(0.0) * column.count()
        case "merge_squares":
            count, total = map(pl.col, reduction.others)
            # The parts' own squares, and those of their means about the mean of all.
            distance = total / count - total.sum() / count.sum()
            value = column.sum() + pl.when(count > 0).then(count * distance**2).sum()
        case kind:
            value = getattr(column, kind)()
    return value.alias(reduction.name)


def _in_cells(
    df: pl.DataFrame, keys: Sequence[pl.Series], spans: Sequence[Range], wanted: Sequence[Reduction]
) -> pl.DataFrame:
    cells = encode(keys, spans, [False] * len(keys)).view(np.int64)
    rows = np.bincount(cells)
    groups = np.flatnonzero(rows)
    columns = decode(groups.view(np.uint64), keys, spans)
    for reduction in wanted:
        if reduction.kind == "len":
            columns.append(pl.Series(reduction.name, rows[groups]))
            continue
        column, at = df[reduction.column], cells
        if column.null_count():
            at, column = cells[column.is_not_null().to_numpy()], column.drop_nulls()
        counts = rows if at is cells else np.bincount(at, minlength=len(rows))
        if reduction.kind == "count":
            columns.append(pl.Series(reduction.name, counts[groups]))
            continue
        others = [df[name].to_numpy() for name in reduction.others]
        values = _reduce(reduction.kind, at, column.to_numpy(), counts, *others)
        series = pl.Series(reduction.name, values[groups])
        if reduction.kind in ("min", "max"):
            series = series.set(pl.Series(counts[groups] == 0), None)
        columns.append(series)
    return pl.DataFrame(columns)


def _reduce(kind: str, at: np.ndarray, values: np.ndarray, counts: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """The values of each cell reduced to one."""

    def add(weights: np.ndarray) -> np.ndarray:
        return np.bincount(at, weights=weights, minlength=len(counts))

    floating = values.dtype.kind == "f"
    match kind:
        case "sum" if not floating:  # as floats they would be rounded
            result = np.zeros(len(counts), dtype=np.int64)
            np.add.at(result, at, values.astype(np.int64, copy=False))
        case "sum" | "total":
            result = add(values)
        case "min" | "max":
            # fmin and fmax pass over NaN, as Polars does.
            start = (
                np.nan if floating else (np.iinfo(values.dtype).max if kind == "min" else np.iinfo(values.dtype).min)
            )
            result = np.full(len(counts), start, dtype=values.dtype)
            (np.fmin if kind == "min" else np.fmax).at(result, at, values)
        case "squares":
            means = add(values) / np.maximum(counts, 1)
            result = add((values - means[at]) ** 2)
        case "merge_squares":
            count, total = others
            means = add(total) / np.maximum(add(count), 1)
            result = add(values + count * (total / np.maximum(count, 1) - means[at]) ** 2)
    return result
