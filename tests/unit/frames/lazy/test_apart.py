"""Aggregates that are made by an exchange of their own, and those made of partial results, against Polars."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deeprc.frames import Communicator, Frame
from deeprc.frames.lazy.apart import AskedQuantile, why_whole
from deeprc.frames.lazy.partial import partials
from deeprc.frames.lazy.reading import expand

METHODS = ("nearest", "lower", "higher", "midpoint", "linear", "equiprobable")
x = pl.col("x")


@pytest.mark.parametrize("method", METHODS)
def test_a_quantile_lies_where_polars_has_it(method: str) -> None:
    for count in range(1, 9):
        values = pl.Series("value", [2.0**number for number in range(count)])
        for quantile in [*np.linspace(0, 1, 41), 1 / 3, 0.7]:
            low, high, share = AskedQuantile("q", quantile, method).places(count)
            found = pl.Series([values[low], values[high]]).quantile(share, method)
            assert found == pytest.approx(values.quantile(quantile, method), rel=1e-12), (count, quantile)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (pl.Series("x", [[1]]), "nunique"),
        (pl.Series("x", [1], dtype=pl.Int128), "nunique"),
        (pl.Series("x", ["a"], dtype=pl.Categorical), "nunique"),
        (pl.Series("x", ["a"]), None),
    ],
    ids=lambda value: str(value if not isinstance(value, pl.Series) else value.dtype),
)
def test_values_are_told_apart_by_parts_where_their_type_can_be(values: pl.Series, why: str | None) -> None:
    schema = values.to_frame().schema
    columns = expand(x.n_unique(), schema)
    assert why_whole(columns, schema) == why
    assert (partials(columns, schema, []) is None) == (why is not None)


def test_a_quantile_of_no_numbers_or_beyond_all_is_left_to_polars() -> None:
    rows = Frame(pl.DataFrame({"x": [1, 2], "text": ["a", "b"]}), Communicator.alone()).lazy()
    assert "all rows on one rank" in rows.select(x.quantile(1.5)).explain()
    with pytest.raises(Exception, match=r"quantile.*between 0.0 and 1.0"):
        rows.select(x.quantile(1.5)).collect()


def test_deviations_keep_their_digits_far_from_zero() -> None:
    """Polars' own variance of the first of these is wrong by a tenth."""
    eighths = np.random.default_rng(1).integers(0, 80, 9000)
    table = pl.DataFrame(
        {"k": np.arange(9000) % 3, "x": 1e15 + eighths / 8, "t": 1_700_000_000_000_000_000 + eighths * 256}
    )
    plan = Frame(table, Communicator.alone()).lazy()
    found = plan.group_by("k").agg(x.var(), s=x.std(ddof=0), t=pl.col("t").var()).sort("k").collect().to_polars()
    for row in found.rows(named=True):
        true = eighths[row["k"] :: 3]
        assert row["x"] == pytest.approx(true.var(ddof=1) / 64, rel=1e-12)
        assert row["s"] == pytest.approx(true.std() / 8, rel=1e-12)
        assert row["t"] == pytest.approx(true.var(ddof=1) * 2.0**16, rel=1e-12)
    whole = plan.select(x.var(ddof=0)).collect().to_polars().item()
    assert whole == pytest.approx(eighths.var() / 64, rel=1e-12)


def test_deviations_of_partial_results_that_are_merged() -> None:
    """Of ranks of which one is near to 0 with its values, one has a single value, one none, and one no number."""
    values = {
        "a": [[1e15, 1e15 + 1, 1e15 + 3], [1e15 + 2.5], [None]],
        "b": [[1.0, 2.0], [4.0], [0.5]],
        "c": [[1.0, 5.0], [float("inf")], [2.0]],
    }
    table = pl.DataFrame(
        [(key, rank, value) for key, ranks in values.items() for rank, of in enumerate(ranks) for value in of],
        schema={"k": pl.String, "rank": pl.Int64, "x": pl.Float64},
        orient="row",
    )
    schema = {"k": pl.String, "x": pl.Float64}
    two = partials(expand(x.var(), schema), schema, ["k"])
    parts = []
    for rank in range(3):
        mine = table.filter(pl.col("rank") == rank)
        part = mine.group_by("k").agg(two.first)
        careful = part.select(two.doubtful).item()
        assert careful == (rank == 0)
        parts.append(mine.group_by("k").agg(two.careful) if careful else part)
    found = pl.concat(parts).group_by("k").agg(two.merge).select("k", *two.last).sort("k")["x"].to_list()
    assert found[:2] == [
        pytest.approx(np.var([0, 1, 3, 2.5], ddof=1), rel=1e-12),
        pytest.approx(np.var([1, 2, 4, 0.5], ddof=1), rel=1e-12),
    ]
    assert np.isnan(found[2])


def test_a_constant_that_is_left_of_a_select_has_as_many_rows() -> None:
    """It had one."""
    table = pl.DataFrame({"x": [1, 2, 3]})
    rows = Frame(table, Communicator.alone()).lazy()
    for select in (
        lambda rows: rows.select("x", one=pl.lit(1)).select("one"),
        lambda rows: rows.select(x.n_unique(), one=pl.lit(1)).select("one"),
        lambda rows: rows.select("x", one=pl.lit(1)).filter(pl.lit(True)).join(rows, on="x").select("one"),
    ):
        assert_frame_equal(select(rows).collect().to_polars(), select(table.lazy()).collect())


def test_value_counts_is_a_groupby() -> None:
    table = pl.DataFrame({"x": [1, 2, 2, None, None, None], "y": range(6)})
    rows = Frame(table, Communicator.alone()).lazy()
    for counts in (
        x.value_counts(),
        x.value_counts(sort=True, name="n").struct.unnest(),
        x.filter(pl.col("y") > 1).value_counts(normalize=True).alias("z"),
        (x + 1).value_counts().struct.field("count"),
    ):
        plan = rows.select(counts)
        assert "BY [col(" in plan.explain() and "one rank" not in plan.explain()
        assert_frame_equal(plan.collect().to_polars(), table.select(counts), check_row_order=False)
    assert_frame_equal(rows.value_counts("x", sort=True).collect().to_polars(), table["x"].value_counts(sort=True))
