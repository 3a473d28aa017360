"""Random pipelines of lazy operations, run by ours on all ranks and by Polars on one process."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import polars as pl
from examples import KEY_TYPES, Example, examples, key_columns, pools
from grouping import GROUPING
from hypothesis import strategies as st
from operation import (
    KEPT,
    LOST,
    MADE,
    VALUES,
    Operation,
    all_rows,
    columns_of,
    grouped,
    number,
    row,
    text,
    truth,
    whole,
)


def _in_order(frame: Any, columns: Sequence[str], **options: Any) -> Any:
    """By all columns that can be sorted: equal rows may change places, which nobody sees."""
    return frame.sort(columns, **options)


def _joined(how: str, **options: Any) -> Operation:
    def work(frame: Any, keys: list[str], other: Any) -> Any:
        theirs = other.select(*keys, other_row="row", other_number="number")
        joined = frame.join(theirs, on=keys, how=how, **options)
        if how in ("semi", "anti"):
            return joined
        more = number.fill_null(0.0) + pl.col("other_number").fill_null(1.0)
        return joined.with_columns(more.alias("number"), row=row.fill_null(pl.col("other_row"))).select(
            columns_of(keys)
        )

    return Operation(work, LOST)


def _crossed(frame: Any, keys: list[str], other: Any) -> Any:
    few = other.sort("row").head(2).select(other_row="row")
    return frame.join(few, how="cross").with_columns(row=row + 100 * pl.col("other_row")).drop("other_row")


def _nearest(frame: Any, other: Any, keys: list[str], **options: Any) -> Any:
    """Rows with what follows from the other's nearest row: of equally near ones the same."""
    left = _in_order(frame.drop_nulls("row"), ["row", *(name for name in columns_of(keys) if name != "row")])
    right = other.select("row", "whole", more=row * 2).sort("row", "whole")
    joined = left.join_asof(right, on="row", suffix="_theirs", **options)
    return joined.with_columns(number=pl.col("more").cast(pl.Float64)).select(columns_of(keys))


OPERATIONS: dict[str, Operation] = {
    "filter": Operation(lambda f, k, o: f.filter(number > 0, row % 3 != 1)),
    "filter text": Operation(lambda f, k, o: f.filter(text.is_not_null() | truth)),
    "filter keys": Operation(lambda f, k, o: f.filter(pl.col(k[0]).is_not_null())),
    "filter by an aggregate": Operation(lambda f, k, o: f.filter(number >= number.mean())),
    "filter by a window": Operation(lambda f, k, o: f.filter(row == row.max().over(k))),
    "with columns": Operation(lambda f, k, o: f.with_columns(number=number * 2, whole=whole.fill_null(7))),
    "when": Operation(lambda f, k, o: f.with_columns(text=pl.when(truth).then(text).otherwise(pl.lit("Len")))),
    "with an aggregate": Operation(lambda f, k, o: f.with_columns(number=number - number.sum() / (pl.len() + 1))),
    "with a window": Operation(lambda f, k, o: f.with_columns(number=number.sum().over(k))),
    "with two windows": Operation(
        lambda f, k, o: f.with_columns(number=number.max().over(k[0]), row=row.min().over("truth"))
    ),
    "with a shift in a window": Operation(lambda f, k, o: f.with_columns(row=row.shift(1).over(k)), asks=True),
    "with a running sum": Operation(lambda f, k, o: f.with_columns(row=row.cum_sum()), asks=True),
    "select": Operation(lambda f, k, o: f.select(*reversed(k), *VALUES, "row").select(columns_of(k))),
    "rename": Operation(lambda f, k, o: f.rename({"row": "Len"}).filter(pl.col("Len") > 1).rename({"Len": "row"})),
    "sort": Operation(lambda f, k, o: _in_order(f, columns_of(k)), MADE),
    "sort, falling": Operation(
        lambda f, k, o: _in_order(f, columns_of(k), descending=True, nulls_last=[True] * (len(k) + 4) + [False]), MADE
    ),
    "sort by an expression": Operation(lambda f, k, o: _in_order(f.sort(-row), columns_of(k)), MADE),
    "first of a sort": Operation(lambda f, k, o: _in_order(f, columns_of(k)).head(3), MADE),
    "part of a sort": Operation(lambda f, k, o: _in_order(f, columns_of(k)).slice(2, 4), MADE),
    "end of a sort": Operation(lambda f, k, o: _in_order(f, columns_of(k)).tail(4), MADE),
    "head": Operation(lambda f, k, o: f.head(7), asks=True),
    "slice": Operation(lambda f, k, o: f.slice(3), asks=True),
    "slice from the end": Operation(lambda f, k, o: f.slice(-6, 4), asks=True),
    "row index": Operation(
        lambda f, k, o: f.with_row_index("n").with_columns(row=row + pl.col("n")).drop("n"), asks=True
    ),
    "unique": Operation(lambda f, k, o: f.unique(), LOST),
    "unique, first": Operation(lambda f, k, o: f.unique(k, keep="first", maintain_order=True), asks=True),
    "unique, last": Operation(lambda f, k, o: f.unique(k[0], keep="last"), LOST, asks=True),
    "unique, none": Operation(lambda f, k, o: f.unique("truth", keep="none"), LOST),
    "drop nulls": Operation(lambda f, k, o: f.drop_nulls(["number", k[0]])),
    "fill nulls": Operation(lambda f, k, o: f.fill_null(7).fill_nan(1.0)),
    "fill nulls from before": Operation(lambda f, k, o: f.fill_null(strategy="forward"), asks=True),
    "shift": Operation(lambda f, k, o: f.shift(2), asks=True),
    "reverse": Operation(lambda f, k, o: f.reverse(), asks=True),
    "aggregates of all": Operation(
        lambda f, k, o: f.with_columns(number=number.median(), whole=whole.std().round().cast(pl.Int32)), KEPT
    ),
    "explode": Operation(
        lambda f, k, o: (
            f.group_by(k).agg(pl.col("row").sort(), pl.col(VALUES).max()).explode("row").select(columns_of(k))
        ),
        LOST,
    ),
    "unpivot": Operation(
        lambda f, k, o: (
            f.unpivot(["number", "row"], index=[*k, "whole", "text", "truth"], value_name="v")
            .with_columns(row=pl.col("variable").str.len_bytes().cast(pl.Int64), number="v")
            .select(columns_of(k))
        ),
        LOST,
    ),
    "group": Operation(
        lambda f, k, o: grouped(
            f, k, number.sum(), whole.filter(row > 2).max(), text.min(), truth.any(), row.count().cast(pl.Int64)
        ),
        LOST,
    ),
    "group, sums of sums": Operation(
        lambda f, k, o: grouped(
            f,
            k,
            (number.sum() + whole.mean().fill_null(0.0).round() + pl.len()),
            whole.sum(),
            text.max(),
            truth.all(),
            (row * 2).sum() - row.min(),
        ),
        LOST,
    ),
    "group, whole": Operation(
        lambda f, k, o: grouped(
            f, k, number.median(), whole.max(), text.n_unique().cast(pl.String), truth.any(), row.sum()
        ),
        LOST,
    ),
    "group in order": Operation(
        lambda f, k, o: grouped(f, k, number.first(), whole.last(), text.str.join(""), truth.first(), row.first()),
        LOST,
        asks=True,
    ),
    "group by an expression": Operation(
        lambda f, k, o: (
            f.group_by((row % 4).alias("n"), *k)
            .agg(number.sum(), whole.min(), text.max(), truth.sum().cast(pl.Boolean))
            .rename({"n": "row"})
            .select(columns_of(k))
        ),
        LOST,
    ),
    "inner join": _joined("inner"),
    "left join": _joined("left"),
    "full join": _joined("full", coalesce=True),
    "right join": _joined("right"),
    "semi join": _joined("semi"),
    "anti join": _joined("anti"),
    "join with equal nulls": _joined("inner", nulls_equal=True),
    "join with itself": Operation(
        lambda f, k, o: (
            f.join(f.group_by(k).agg(more=row.max()), on=k).with_columns(row=row + pl.col("more")).drop("more")
        ),
        LOST,
    ),
    "join, same names": Operation(
        lambda f, k, o: (
            f.join(o, on=k, how="left")
            .with_columns(row=pl.coalesce("row_right", "row"), text="text_right")
            .filter(pl.col("whole_right").is_null() | (row > 2))
            .select(columns_of(k))
        ),
        LOST,
    ),
    "full join, both keys": Operation(
        lambda f, k, o: (
            f.join(o, on=k, how="full", suffix="'", coalesce=False)
            .filter(pl.col(f"{k[0]}'").is_not_null())
            .with_columns(row=pl.coalesce("row", "row'"))
            .select(columns_of(k))
        ),
        LOST,
    ),
    "cross join": Operation(_crossed, LOST),
    "asof join": Operation(lambda f, k, o: _nearest(f, o, k, strategy="nearest", tolerance=5), MADE),
    "asof join by a key": Operation(lambda f, k, o: _nearest(f, o, k, by="whole", strategy="forward"), MADE),
    "rolling": Operation(
        lambda f, k, o: (
            f.drop_nulls("row")
            .sort("row", *k)
            .unique([*k, "row"], keep="any")
            .select(columns_of(k))
            .sort("row")
            .rolling("row", period="4i", group_by=k)
            .agg(whole.max(), pl.col("row").sum().cast(pl.Float64).alias("number"), text.max(), truth.any())
            .select(columns_of(k))
        ),
        LOST,
    ),
    "pivot": Operation(
        lambda f, k, o: (
            f.pivot("truth", [True, False], index=k, values="row", aggregate_function="max")
            .with_columns(number=pl.col("true").cast(pl.Float64), row="false", whole=pl.lit(None, pl.Int32))
            .with_columns(text=pl.lit(None, pl.String), truth=pl.lit(None, pl.Boolean))
            .select(columns_of(k))
        ),
        LOST,
    ),
    "concat": Operation(lambda f, k, o: all_rows([f.filter(truth), o, f.filter(number < 0)])),
    "concat, then the first of a key": Operation(
        lambda f, k, o: _in_order(all_rows([f.filter(truth), o, f]).unique(k[0], keep="first"), columns_of(k)),
        MADE,
        asks=True,
    ),
    "concat, then a shift in a window": Operation(
        lambda f, k, o: all_rows([f.filter(truth), o, f]).with_columns(row=row.shift(1).over(k[0])).sort("row"),
        LOST,
        asks=True,
    ),
    "concat, then a groupby in order": Operation(
        lambda f, k, o: grouped(all_rows([o, f]), k, *(pl.col(name).first() for name in [*VALUES, "row"])),
        LOST,
        asks=True,
    ),
    **GROUPING,
}


@st.composite
def pipelines(draw: st.DrawFn, ranks: int):
    """Two tables, the names of their keys, and the names of operations one after the other."""
    keys = draw(key_columns())
    pool = draw(pools(keys))
    left, right = (draw(examples(ranks, keys, pool, VALUES)) for _ in range(2))
    ordered, chosen = True, []
    for _ in range(draw(st.integers(1, 4))):
        possible = [name for name, operation in OPERATIONS.items() if ordered or not operation.asks]
        chosen.append(draw(st.sampled_from(possible)))
        order = OPERATIONS[chosen[-1]].order
        ordered = order == MADE or (ordered and order == KEPT)
    return left, right, list(keys), chosen, ordered


def fixed(ranks: int, kind: str) -> tuple[Example, Example, list[str]]:
    """Two tables with repeated, missing and spread keys, of which every operation makes something."""
    random = Random(kind)
    few = {"int64": [None, 1, 2, 3], "string": [None, "", "a", "ü"]}[kind]

    def table(height: int) -> Example:
        columns = {
            "key0": pl.Series(random.choices(few, k=height), dtype=KEY_TYPES[kind][0]),
            "key1": pl.Series(random.choices([None, True, False], k=height), dtype=pl.Boolean),
            "number": pl.Series(random.choices([None, *range(-3, 9)], k=height), dtype=pl.Float64, strict=False),
            "whole": pl.Series(random.choices([None, 1, 2**31 - 1], k=height), dtype=pl.Int32),
            "text": pl.Series(random.choices([None, "x", "yy"], k=height), dtype=pl.String),
            "truth": pl.Series(random.choices([None, True, False], k=height), dtype=pl.Boolean),
            "row": pl.Series(range(height), dtype=pl.Int64),
        }
        return Example(pl.DataFrame(columns), tuple((rank / ranks) ** 2 for rank in range(1, ranks)))

    return table(60), table(15), ["key0", "key1"]


def applied(frame: Any, other: Any, keys: list[str], names: Sequence[str]) -> Any:
    """The frame after the operations."""
    for name in names:
        frame = OPERATIONS[name].work(frame, keys, other)
    return frame
