"""Operations whose groups are made of parts of groups, and those that keep an order which costs an exchange."""

from __future__ import annotations

from typing import Any

import polars as pl
from operation import KEPT, LOST, Operation, columns_of, grouped, number, row, text, truth, whole


def _kept(how: str, order: str) -> Operation:
    def work(frame: Any, keys: list[str], other: Any) -> Any:
        theirs = other.select(*keys, other_row="row")
        joined = frame.join(theirs, on=keys, how=how, coalesce=True, maintain_order=order)
        return joined.with_columns(row=row.fill_null(0) * 100 + pl.col("other_row").fill_null(-1)).select(
            columns_of(keys)
        )

    return Operation(work, KEPT, asks=True)


def _counted(frame: Any, keys: list[str], other: Any) -> Any:
    counts = frame.select(pl.col(keys[0]).value_counts(name="n").struct.unnest())
    joined = frame.join(counts, on=keys[0], nulls_equal=True)
    return joined.with_columns(row=row + pl.col("n")).select(columns_of(keys))


GROUPING: dict[str, Operation] = {
    "group, different values": Operation(
        lambda f, k, o: grouped(
            f,
            k,
            number.n_unique().cast(pl.Float64),
            whole.filter(row > 2).n_unique().cast(pl.Int32),
            text.max(),
            truth.n_unique() > 1,
            row.max(),
        ),
        LOST,
    ),
    "group, first and last": Operation(
        lambda f, k, o: grouped(
            f,
            k,
            number.first() + number.max(),
            whole.filter(row > 2).last(),
            text.first(),
            truth.last(),
            row.n_unique().cast(pl.Int64),
        ),
        LOST,
        asks=True,
    ),
    "group, quantiles": Operation(
        lambda f, k, o: grouped(
            f, k, number.quantile(0.3), whole.max(), text.min(), truth.any(), row.median().cast(pl.Int64)
        ),
        LOST,
    ),
    "group in the order of the rows": Operation(
        lambda f, k, o: (
            f.group_by(k, maintain_order=True)
            .agg(number.sum(), whole.last(), text.n_unique().cast(pl.String), truth.any(), row.min())
            .select(columns_of(k))
        ),
        asks=True,
    ),
    "group by an expression in the order of the rows": Operation(
        lambda f, k, o: (
            f.group_by(k[0], (row % 4).alias("n"), maintain_order=True)
            .agg([pl.all().first(), pl.len().alias("count")])
            .with_columns(row=pl.col("count").cast(pl.Int64))
            .select(columns_of(k))
        ),
        asks=True,
    ),
    "aggregates of all, of different values": Operation(
        lambda f, k, o: f.with_columns(
            number=number.quantile(0.6, "midpoint"),
            whole=whole.n_unique().cast(pl.Int32),
            row=row - row.median().cast(pl.Int64),
        )
    ),
    "aggregates of all, first and last": Operation(
        lambda f, k, o: f.with_columns(
            row=row.first() + row.n_unique(), text=text.last(), whole=whole.filter(truth).first()
        ),
        asks=True,
    ),
    "filter by a median": Operation(lambda f, k, o: f.filter(number >= number.filter(truth).median())),
    "value counts": Operation(_counted, LOST),
    "inner join, order of the left": _kept("inner", "left_right"),
    "left join, order of the right": _kept("left", "right_left"),
    "full join, order of the left": _kept("full", "left_right"),
    "right join, order of the right": _kept("right", "right_left"),
    "anti join in order": Operation(lambda f, k, o: f.join(o, on=k, how="anti", maintain_order="left"), asks=True),
}
