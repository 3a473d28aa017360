"""Plans for four ranks, by their text: what is read, what is sent, and where. No rank runs here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import polars as pl
import pytest

from deeprc.core.errors import ConfigError, InputError
from deeprc.frames.lazy.deal import DEALT, EVERYWHERE, Deal, Size
from deeprc.frames.lazy.frame import LazyFrame
from deeprc.frames.lazy.nodes import Source
from deeprc.frames.lazy.sources import concat


class FourRanks:
    """What a plan asks of the ranks that are to run it."""

    size, rank = 4, 0

    def together(self, call=None):
        return nullcontext({})


RANKS = FourRanks()


@dataclass(frozen=True, eq=False)
class Table:
    """A table that is only thought of."""

    title: str
    rows: int
    small: bool = False

    def share(self, columns, ranks):
        schema = {name: COLUMNS[name] for name in columns}
        return pl.LazyFrame(schema=schema), Deal(EVERYWHERE if self.small else DEALT), Size(self.rows, 8 * len(columns))


COLUMNS = {"k": pl.Int64, "g": pl.String, "x": pl.Float64, "y": pl.Float64, "j": pl.Int64}


def table(name: str, columns: str, rows: int = 10**6, small: bool = False) -> LazyFrame:
    schema = pl.Schema({name: COLUMNS[name] for name in columns})
    return LazyFrame(Source(schema=schema, rows=Table(name, rows, small)), RANKS)


LEFT, RIGHT, FEW = table("LEFT", "kgxy"), table("RIGHT", "kj"), table("FEW", "kj", 100)
OTHER = table("OTHER", "ky")
x, y, k = pl.col("x"), pl.col("y"), pl.col("k")


def test_a_join_and_a_groupby_on_its_key_send_each_side_once() -> None:
    assert (
        LEFT.join(RIGHT, on="k").group_by("k").agg(x.sum()).explain()
        == """\
AGGREGATE [col("x").sum()] BY [col("k")]  (~31623 rows)
  INNER JOIN ON k  (~1000000 rows)
    EXCHANGE by k (the left side of a join)  (sends 11.4 MiB, ~1000000 rows)
      LEFT [k, x]  (~1000000 rows)
    EXCHANGE by k (the right side of a join)  (sends 5.7 MiB, ~1000000 rows)
      RIGHT [k]  (~1000000 rows)"""
    )


def test_a_groupby_sends_partial_results() -> None:
    assert (
        LEFT.group_by("g").agg(x.sum(), m=y.mean()).explain()
        == """\
AGGREGATE [col("x").sum(), col("y").mean().alias("m")] BY [col("g")]  (~31623 rows)
  EXCHANGE by g (partial results)  (sends 2.2 MiB, ~126491 rows)
    PARTIAL AGGREGATE [col("x").sum(), col("y").mean().alias("m")] BY [col("g")]  (~126491 rows)
      LEFT [g, x, y]  (~1000000 rows)"""
    )


def test_predicates_go_down_and_a_small_side_goes_everywhere() -> None:
    plan = LEFT.join(FEW, on="k").filter(x > 1, pl.col("j") == 2, k < 9).select("g", "j")
    assert (
        plan.explain()
        == """\
SELECT [col("g"), col("j")]  (~8100 rows)
  INNER JOIN ON k  (~8100 rows)
    SELECT [col("k"), col("g")]  (~90000 rows)
      FILTER [(col("x")) > (dyn int: 1)]  (~90000 rows)
        FILTER [(col("k")) < (dyn int: 9)]  (~300000 rows)
          LEFT [k, g, x]  (~1000000 rows)
    EXCHANGE to every rank (the right side of a join)  (sends 432 B, ~9 rows)
      FILTER [(col("j")) == (dyn int: 2)]  (~9 rows)
        FILTER [(col("k")) < (dyn int: 9)]  (~30 rows)
          FEW [k, j]  (~100 rows)"""
    )


def exchanges(plan: LazyFrame) -> list[str]:
    return [line.strip().partition("  (")[0] for line in plan.explain().splitlines() if "EXCHANGE" in line]


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (LEFT.filter(x > 0).with_columns(z=x * 2), []),
        (LEFT.group_by("k").agg(x.sum()).group_by("k").agg(x.max()), ["EXCHANGE by k (partial results)"]),
        (LEFT.group_by("k").agg(x.median()), ["EXCHANGE by k (all rows of a group)"]),
        (LEFT.group_by("k", "g").agg(x.median()).filter(k > 2).unique("k"), 
         ["EXCHANGE by k (the same values)", "EXCHANGE by k, g (all rows of a group)"]),
        (LEFT.with_columns(z=x.sum().over("k")).group_by("k", "g").agg(x.sum()),
         ["EXCHANGE by k (all rows of a window)"]),
        (LEFT.with_columns(z=x.sum().over("k")), ["EXCHANGE in the order that the rows had",
                                                  "EXCHANGE by k (all rows of a window)"]),
        (LEFT.rename({"k": "q"}).group_by("q").len().join(RIGHT, left_on="q", right_on="k"),
         ["EXCHANGE to every rank (the left side of a join)", "EXCHANGE by q (partial results)"]),
        (
            LEFT.rename({"k": "q"}).join(RIGHT, left_on="q", right_on="k").join(OTHER, left_on="q", right_on="k"),
            [f"EXCHANGE by {key} (the {side} side of a join)" for key, side in (["q", "left"], *[["k", "right"]] * 2)],
        ),
        (LEFT.sort("x").head(3), ["EXCHANGE to rank 0 (the first rows of each rank)"]),
        (LEFT.sort("x"), ["EXCHANGE in the order of x"]),
        (LEFT.select(x.mean(), n=pl.len()), ["EXCHANGE to every rank (partial results)"]),
        (LEFT.with_columns(c=x.cum_sum()), ["EXCHANGE to rank 0 (cumsum)"]),
        (LEFT.join(table("TINY", "kj", 9, small=True), on="k"), []),
        (LEFT.join(RIGHT, on="k", how="full"),
         ["EXCHANGE by k (the left side of a join)", "EXCHANGE by k (the right side of a join)"]),
        (concat([LEFT, LEFT]).group_by("k").agg(x.sum()), ["EXCHANGE by k (partial results)"]),
    ],
)  # fmt: skip
def test_exchanges(plan: LazyFrame, expected: list[str]) -> None:
    assert exchanges(plan) == expected


def test_what_is_taken_twice_is_computed_once() -> None:
    shared = LEFT.join(RIGHT, on="k").group_by("k").agg(x.sum())
    lines = shared.filter(x == x.max()).explain().splitlines()
    assert sum("JOIN" in line for line in lines) == 1
    assert sum("[1] as above" in line for line in lines) == 1


def test_an_aggregate_of_all_rows_that_nobody_takes_is_no_error() -> None:
    """Polars' own was raised: its column was not read."""
    assert 'SELECT [col("k")]' in LEFT.with_columns(s=x - y.sum()).select("k").explain()


def test_predicates_stay_above_what_they_would_change() -> None:
    for plan in (LEFT.sort("x").head(5), LEFT.with_columns(z=x.cum_sum()), LEFT.with_columns(z=x.sum().over("k"))):
        lines = plan.filter(x > 0).explain().splitlines()
        above, below = (next(i for i, line in enumerate(lines) if word in line) for word in ("FILTER", "EXCHANGE"))
        assert above < below
    assert not LEFT.sort("x").filter(x > 0).explain().startswith("FILTER")
    left = LEFT.join(RIGHT, on="k", how="left").filter(pl.col("j").is_null()).explain()
    assert left.startswith("FILTER")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LEFT.select("kk"), "did you mean 'k'?"),
        (lambda: LEFT.filter(pl.col("yy") > 1), "did you mean 'y'?"),
        (lambda: LEFT.group_by("q").agg(x.sum()), "has no column 'q'"),
        (lambda: LEFT.join(RIGHT, on="z"), "has no column 'z'"),
        (lambda: LEFT.join(FEW, left_on="g", right_on="k"), "the keys 'g' and 'k' are of different types"),
        (lambda: LEFT.join(RIGHT, on=k + 1), "a key of the left side is no column"),
        (lambda: LEFT.interpolate(), "LazyFrame.interpolate is not among what runs over ranks"),
        (lambda: LEFT.join_asof(RIGHT, on="k", strategi="nearest"), "did you mean 'strategy'?"),
        (lambda: LEFT.join_asof(RIGHT, by_left="g", by_right="k", on="k"), "'g' and 'k' are of different types"),
        (lambda: LEFT.pivot("g", ["a"], index="k", values="x", maintain_order=True), "pivot: maintain_order is not"),
        (lambda: LEFT.rolling("k", period="3i", group_by=k + 1).agg(x.sum()), "rolling: group_by= is no column"),
        (lambda: LEFT.sample(3, fraction=0.5), "n and fraction are both given"),
        (lambda: LEFT.sample(fraction=1.5), "no such number of rows"),
        (lambda: LEFT.with_columns(z=x.sum().over("k") + x.sum().over("g")), "windows over different keys"),
        (lambda: LEFT.select(pl.col("g").sum()), "select: `sum` operation not supported for dtype `str`"),
        (lambda: LEFT.sort("x", nulls_last=[True, False]), "sort"),
        (lambda: LEFT.join("RIGHT", on="k"), "a lazy frame is joined with a lazy frame"),
        (lambda: concat([LEFT, RIGHT]), "concat"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(make: Callable[[], LazyFrame], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?").replace("(", r"\(")):
        make()


def test_more_steps_than_can_be_planned_are_refused() -> None:
    """They ended in a RecursionError."""
    plan = LEFT
    for _ in range(1500):
        plan = plan.with_columns(pl.col("x") + 1)
    for _ in range(2):
        with pytest.raises(InputError, match=r"(?s)more steps upon each other.*1501.*at most 250"):
            plan.explain()
    plan = LEFT
    for _ in range(120):
        plan = plan.with_columns(pl.col("x") + 1).filter(x > 0)
    assert plan.explain().count("FILTER") > 100


def test_many_predicates_are_one_step() -> None:
    assert LEFT.filter([x > number for number in range(1500)]).explain().count("FILTER") == 1


def test_codes_of_categories_that_an_aggregate_gives_are_refused() -> None:
    categories = LEFT.with_columns(c=pl.col("g").cast(pl.Categorical))
    with pytest.raises(InputError, match="the codes of categories") as refused:
        categories.group_by("k").agg(pl.col("c").first().to_physical())
    assert "with_columns(code=pl.col(…).to_physical())" in str(refused.value)


def test_a_dictionary_of_aggregates_is_refused() -> None:
    """Its names alone were taken, and gave a list of all values."""
    spec = {"x": "sum"}
    by = LEFT.group_by("k"), LEFT.rolling("k", period="3i"), table("T", "kx").group_by_dynamic("k", every="3i")
    for call in (*(each.agg for each in by), LEFT.select, LEFT.with_columns):
        with pytest.raises(TypeError, match=r"use Frame.groupby\(…\).agg\({'x': 'sum'}\)"):
            call(spec)


def test_an_unknown_join_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'inner'"):
        LEFT.join(RIGHT, on="k", how="iner")
    with pytest.raises(ConfigError, match="did you mean 'left_right'"):
        LEFT.join(RIGHT, on="k", maintain_order="left-right")


def test_no_aggregate_brings_all_rows_to_one_rank() -> None:
    g = pl.col("g")
    quantile = "EXCHANGE in the order of the values"
    for plan, exchanges in (
        (LEFT.select(x.n_unique(), m=y.median(), g=g.first()), [quantile, "by value (the same values)"]),
        (LEFT.filter(x > x.quantile(0.9)), [quantile]),
        (LEFT.group_by("k").agg(g.last()), ["by k (partial results)"]),
        (LEFT.group_by("g").agg(x.n_unique(), y.first(), m=y.mean()), ["by g (partial results)"]),
        (LEFT.group_by("g").agg(x.median()), ["by g (all rows of a group)"]),
        (LEFT.group_by("g").agg(x.n_unique(), y.max()), ["by g (different rows of a group)"]),
        (LEFT.group_by("g").agg(x.n_unique(), pl.len()), ["by g (partial results)"]),
        (LEFT.select(g.value_counts(normalize=True).struct.unnest()), ["by g (partial results)"]),
        (LEFT.select(x.median(), a=x.quantile(0.1), b=x.quantile(1)), [quantile]),
    ):
        text = plan.explain()
        assert all(each in text for each in exchanges), text
        assert "one rank" not in text and "rank 0" not in text and text.count(quantile) <= 1, text


def test_groups_in_order_send_partial_results_with_the_number_of_their_first_row() -> None:
    text = table("MANY", "gx", 10**8).group_by("g", maintain_order=True).agg(x.sum()).explain()
    steps = ["SORT row number", "EXCHANGE in the order of", "AGGREGATE", "by g (partial results)", "WITH ROW INDEX"]
    assert [step for line in text.splitlines() for step in steps if step in line] == [*steps[:4], "AGGREGATE", steps[4]]
