"""What must hold for aggregates of lazy frames on several ranks beyond the properties; see `scenarios`."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from agreeing import COMM, gathered, mine, scenarios_of
from polars.testing import assert_frame_equal

from deeprc.frames.lazy import deal

x, y = pl.col("x"), pl.col("y")


def deviations_far_from_zero_are_right_over_ranks() -> None:
    eighths = np.random.default_rng(1).integers(0, 80, 9000)
    table = pl.DataFrame(
        {"k": [*"abc"] * 3000, "x": 1e15 + eighths / 8, "y": 1_700_000_000_000_000_000 + eighths * 256}
    )
    # One rank has a single row of a key, and another one none.
    table = pl.concat([table.filter(pl.col("k") != "a"), table.filter(pl.col("k") == "a")])
    plan = mine(table).lazy()
    near = table.with_columns(x=x - 1e15, y=(y - 1_700_000_000_000_000_000).cast(pl.Float64))
    aggregates = x.var(), x.std(ddof=0).alias("std"), y.var()
    for few in (0, deal.LITTLE_BYTES):
        before, deal.LITTLE_BYTES = deal.LITTLE_BYTES, few
        try:
            for memory in (None, "8 MiB"):
                found = gathered(plan.group_by("k").agg(aggregates).collect(memory=memory)).sort("k")
                assert_frame_equal(found, near.group_by("k").agg(aggregates).sort("k"), rel_tol=1e-11)
            assert_frame_equal(gathered(plan.select(aggregates).collect()), near.select(aggregates), rel_tol=1e-11)
        finally:
            deal.LITTLE_BYTES = before


def aggregates_of_all_rows_are_made_without_all_rows_on_a_rank() -> None:
    random = np.random.default_rng(2)
    table = pl.DataFrame(
        {"x": random.integers(0, 500, 30_000), "y": random.normal(size=30_000), "t": ["a", None, "b"] * 10_000}
    )
    asked = {
        "x": x.n_unique(),
        "m": y.median(),
        "q": y.quantile(0.9, "linear"),
        "r": x.quantile(1 / 3),
        "t": pl.col("t").n_unique(),
        "a": y.first(),
        "b": y.last(),
    }
    before, deal.LITTLE_BYTES = deal.LITTLE_BYTES, 0
    try:
        plan = mine(table).lazy().select(**asked)
        frame = plan.collect()
        expected = table.select(**asked)
        assert_frame_equal(gathered(frame), expected, check_exact=True)
        told = plan.explain(measured=True)
        assert "rank 0" not in told and told.count("in the order of the values") == 2, told
        often = (
            mine(table.select(k=x % 5, v=x % 7)).lazy().group_by("k").agg(pl.col("v").n_unique(), m=pl.col("v").max())
        )
        assert gathered(often.collect()).sort("k").rows() == [(k, 7, 6) for k in range(5)]
        told = often.explain(measured=True)  # of the 30,000 rows each rank sends 35
        assert re.search(r"different rows of a group\)  \(sends [^,]*, 105 rows", told), told
        counts = mine(table).lazy().value_counts("x", sort=True)
        assert_frame_equal(
            gathered(counts.collect()).sort("count", "x"),
            table["x"].value_counts().sort("count", "x"),
            check_exact=True,
        )
    finally:
        deal.LITTLE_BYTES = before


def groups_and_joined_rows_come_in_the_order_of_the_rows() -> None:
    random = np.random.default_rng(3)
    table = pl.DataFrame({"x": random.integers(0, 900, 6000), "y": range(6000)})
    other = pl.DataFrame({"x": random.permutation(1200), "z": range(1200)})
    for few in (0, deal.LITTLE_BYTES):
        before, deal.LITTLE_BYTES = deal.LITTLE_BYTES, few
        spread, deal.SPREAD_BYTES = deal.SPREAD_BYTES, few
        try:
            ours, theirs = (
                [
                    rows.group_by("x", maintain_order=True).agg(y.sum(), pl.len()),
                    rows.join(more, on="x", maintain_order="left"),
                    rows.join(more, on="x", how="full", maintain_order="right_left"),
                    rows.join(more.head(4), how="cross", maintain_order="right").head(9000),
                ]
                for rows, more in ((mine(table).lazy(), mine(other).lazy()), (table.lazy(), other.lazy()))
            )
            for plan, expected in zip(ours, theirs, strict=True):
                frame = plan.collect()
                assert max(COMM.allgather(frame.local.height)) < expected.collect().height or few
                assert_frame_equal(gathered(frame), expected.collect())
        finally:
            deal.LITTLE_BYTES, deal.SPREAD_BYTES = before, spread


SCENARIOS = scenarios_of(globals(), but=())
