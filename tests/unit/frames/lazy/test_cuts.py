"""Which files are dealt by ranges of a key, and where they are cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from deeprc.frames.agreement import CALL, PLAN, Account, verdict
from deeprc.frames.lazy import footers
from deeprc.frames.lazy.cuts import Cut, cuts, overlaps
from deeprc.frames.lazy.deal import DEALT, Deal, Size, hashed
from deeprc.frames.lazy.frame import LazyFrame
from deeprc.frames.lazy.nodes import Source, bottom_up
from deeprc.frames.lazy.scan import even
from deeprc.frames.lazy.step import described

SCHEMA = pl.Schema({"k": pl.Int64, "j": pl.Int64, "x": pl.Float64})


class TwoRanks:
    size, rank = 2, 0


RANKS = TwoRanks()


@dataclass(frozen=True, eq=False)
class Groups:
    """Files of which only the footers are thought of: 10 rows in each row group."""

    title: str
    ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    few: bool = False

    @property
    def groups(self) -> list[int]:
        return [10] * max(map(len, self.ranges.values()), default=1)

    @property
    def rows(self) -> int:
        return sum(self.groups)

    def small(self, columns, ranks) -> bool:
        return self.few

    def share(self, columns, ranks, cut=None):
        deal = Deal(DEALT) if cut is None else hashed([cut.column], cut.borders)
        return pl.LazyFrame(schema={name: SCHEMA[name] for name in columns}), deal, Size(self.rows, 8)


def table(title: str, few: bool = False, **ranges: list[tuple[int, int]]) -> LazyFrame:
    return LazyFrame(Source(schema=SCHEMA, rows=Groups(title, ranges, few)), RANKS)


FOUR = table("FOUR", k=[(0, 9), (10, 19), (20, 29), (30, 39)])
TWO = table("TWO", k=[(0, 20), (20, 38)], j=[(0, 1), (2, 3)])
LOW = table("LOW", k=[(0, 1), (2, 3)])
FEW, NONE = table("FEW", few=True, k=[(0, 9), (10, 19)]), table("NONE")


def cut(plan: LazyFrame, ordered: set[int] = frozenset()) -> dict[str, Cut]:
    found = cuts(plan._node, 2, set(ordered))
    return {node.rows.title: found[id(node)] for node in bottom_up(plan._node) if id(node) in found}


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (FOUR.group_by("k").len(), {"FOUR": Cut("k", (20,))}),
        (FOUR.filter(pl.col("x") > 0).rename({"k": "key"}).group_by("key").len(), {"FOUR": Cut("k", (20,))}),
        (FOUR.group_by("x").len(), {}),
        (FOUR.select((pl.col("k") + 1).alias("k")).group_by("k").len(), {}),
        (NONE.join(FOUR, on="k"), {"FOUR": Cut("k", (20,))}),
        # Cut at the same value, that of the larger one, if the other's shares are then about even.
        (TWO.join(FOUR, on="k"), {"FOUR": Cut("k", (20,)), "TWO": Cut("k", (20,))}),
        (LOW.join(FOUR, on="k"), {"FOUR": Cut("k", (20,))}),
        (TWO.join(NONE, on="j"), {"TWO": Cut("j", (2,))}),
        (TWO.join(NONE, on="j", how="semi").join(FOUR, on="k"), {"FOUR": Cut("k", (20,)), "TWO": Cut("k", (20,))}),
        # Every rank reads a small file; but not where a join takes each of its rows once.
        (FEW.join(NONE, on="k"), {}),
        (FEW.join(NONE, on="k", how="left"), {"FEW": Cut("k", (10,))}),
        (NONE.join(FEW, on="k", how="left"), {}),
        (FEW.group_by("k").len(), {}),
    ],
)
def test_which_sources_are_cut_where(plan: LazyFrame, expected: dict[str, Cut]) -> None:
    assert cut(plan) == expected


def test_of_tables_with_as_many_rows_the_same_one_is_cut_first_wherever_they_lie_in_memory() -> None:
    """Each rank is a process with other addresses: an order by them was another one on each rank, and rows got lost."""
    firsts = [table("FIRST", k=[(0, 9), (10, 19)]) for _ in range(20)]
    seconds = [table("SECOND", k=[(0, 11), (12, 21)]) for _ in range(20)]
    for a, b in zip(firsts, seconds, strict=True):
        assert cut(a.join(b, on="k")) == {"FIRST": Cut("k", (10,)), "SECOND": Cut("k", (10,))}
        assert cut(b.join(a, on="k")) == {"FIRST": Cut("k", (12,)), "SECOND": Cut("k", (12,))}


def test_ranks_that_plan_differently_are_told_so() -> None:
    plans = [described(FOUR._node, {id(FOUR._node): Cut("k", (border,))}) for border in (20, 20, 21)]
    found = verdict([Account.of(None, {CALL: "collect", PLAN: plan}) for plan in plans])
    assert str(found).startswith("rank 2 has planned something else than rank 0 for the same call")
    assert "borders=(21,)" in str(found) and "borders=(20,)" in str(found)


def test_rows_that_must_keep_their_order_are_not_dealt_by_ranges() -> None:
    plan = FOUR.group_by("k").len()
    assert cut(plan, {id(FOUR._node)}) == {}


def test_row_groups_of_a_range() -> None:
    ranges = [(0, 5), (5, 9), (9, 9), (10, 19)]
    assert list(overlaps(ranges, None, 5)) == [(0, True)]
    assert list(overlaps(ranges, 5, 9)) == [(0, True), (1, True)]
    assert list(overlaps(ranges, 9, 10)) == [(1, True), (2, False)]
    assert list(overlaps(ranges, 10, None)) == [(3, False)]
    assert list(overlaps(ranges, None, None)) == [(0, False), (1, False), (2, False), (3, False)]


def test_whole_row_groups_where_the_shares_are_about_even() -> None:
    assert [even([100] * 10, rank, 2) for rank in (0, 1, 2)] == [0, 500, 1000]
    assert even([120, 30], 1, 2) == 75
    assert even([510, 490], 1, 2) == 510


def test_what_a_footer_says_of_ranges(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    days = [date(1970, 1, day) for day in range(2, 8)]
    pl.DataFrame(
        {"up": range(6), "down": range(5, -1, -1), "day": days, "hole": [0, None, 2, 3, 4, 5], "text": list("abcdef")}
    ).write_parquet(file, row_group_size=2)
    found = footers.KINDS["parquet"].footer(file)
    assert found.ranges == {"up": ((0, 1), (2, 3), (4, 5)), "day": ((1, 2), (3, 4), (5, 6))}
