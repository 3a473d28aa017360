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

    Kinds: `len`, `count`, `sum`, `min`, `max`, `first`, `last`; `total`, the sum that a mean is made of.
    """

    name: str
    kind: str
    column: str


def reduce_groups(df: pl.DataFrame, by: Sequence[str], wanted: Sequence[Reduction]) -> pl.DataFrame:
    """One row per group of local rows: the keys, and the reductions under their names.

    Types do not depend on the way taken (see `wide` and `total_type`).
    """
    keys, schema = [df[name] for name in by], df.schema
    if all(_is_dense_kind(reduction, schema[reduction.column]) for reduction in wanted) and all(
        encodable(key.dtype) and not key.dtype.is_float() for key in keys
    ):
        spans = ranges(keys)
        if bits(spans) <= 64 and 1 << bits(spans) <= CELLS_PER_ROW * df.height:
            return _in_cells(df, keys, spans, wanted)
    # Polars' streaming engine is two to three times faster on one thread, but does not keep the order in a group.
    engine = "in-memory" if {"first", "last"} & {reduction.kind for reduction in wanted} else "streaming"
    return df.lazy().group_by(by).agg(expression(r, schema[r.column]) for r in wanted).collect(engine=engine)


def wide(dtype: pl.DataType) -> pl.DataType:
    """The type of a sum: at least 64 bits, or 38 digits, so that many small numbers do not overflow."""
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(38, dtype.scale)
    if dtype.is_float():
        return pl.Float64()
    small = dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128, pl.UInt128)
    return pl.Int64() if small or dtype == pl.Boolean else dtype


def total_type(dtype: pl.DataType) -> pl.DataType:
    """The type of a `total`: whole numbers up to 64 bits are added exactly, all others as floats."""
    whole = dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128)
    return pl.Int128() if whole or dtype == pl.Boolean else pl.Float64()


def expression(reduction: Reduction, dtype: pl.DataType) -> pl.Expr:
    """The reduction of a column of this type, for Polars."""
    column = pl.col(reduction.column)
    match reduction.kind:
        case "len":
            value = pl.len().cast(pl.Int64)
        case "count":
            value = column.count().cast(pl.Int64)
        case "sum":
            value = column.cast(wide(dtype)).sum()
        case "total":
            value = column.cast(total_type(dtype)).sum()
        case kind:
            value = getattr(column, kind)()
    return value.alias(reduction.name)


def _is_dense_kind(reduction: Reduction, dtype: pl.DataType) -> bool:
    if reduction.kind in ("len", "count"):
        return True
    number = dtype in (pl.Float64, pl.Float32, pl.Int64, pl.Int32)
    return number and reduction.kind not in ("first", "last")


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
        if reduction.kind == "total" and column.dtype.is_integer():
            columns.append(_exact_total(at, column.to_numpy(), counts, groups).alias(reduction.name))
            continue
        series = pl.Series(reduction.name, _reduce(reduction.kind, at, column.to_numpy(), counts)[groups])
        if reduction.kind in ("min", "max"):
            series = series.set(pl.Series(counts[groups] == 0), None)
        columns.append(series)
    return pl.DataFrame(columns)


def _exact_total(at: np.ndarray, values: np.ndarray, counts: np.ndarray, groups: np.ndarray) -> pl.Series:
    """The sum of each group's whole numbers, as Int128: of their upper and lower halves, where 64 bits may not do."""
    values = values.astype(np.int64, copy=False)
    largest = max(abs(int(values.min(initial=0))), int(values.max(initial=0)))
    if largest * int(counts.max(initial=0)) < 2**63:
        return pl.Series(_reduce("sum", at, values, counts)[groups]).cast(pl.Int128)
    upper, lower = (_reduce("sum", at, half, counts)[groups] for half in (values >> 32, values & (2**32 - 1)))
    return pl.Series(upper).cast(pl.Int128) * pl.Series([2**32], dtype=pl.Int128) + pl.Series(lower).cast(pl.Int128)


def _reduce(kind: str, at: np.ndarray, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The values of each cell reduced to one."""
    floating = values.dtype.kind == "f"
    match kind:
        case "sum" if not floating:  # as floats they would be rounded
            result = np.zeros(len(counts), dtype=np.int64)
            np.add.at(result, at, values.astype(np.int64, copy=False))
        case "sum" | "total":
            # Without any row numpy counts in integers, weights or not.
            result = np.bincount(at, weights=values, minlength=len(counts)).astype(np.float64, copy=False)
        case "min" | "max":
            # fmin and fmax pass over NaN, as Polars does.
            start = (
                np.nan if floating else (np.iinfo(values.dtype).max if kind == "min" else np.iinfo(values.dtype).min)
            )
            result = np.full(len(counts), start, dtype=values.dtype)
            (np.fmin if kind == "min" else np.fmax).at(result, at, values)
    return result
