"""What a plan means is what Polars means by it; see `scenarios`."""

from __future__ import annotations

import numpy as np
import polars as pl
from agreeing import COMM, fails, gathered, mine, scenarios_of
from lazy_scenarios import same
from polars.testing import assert_frame_equal

from deeprc.core.errors import DeepRCError
from deeprc.frames import Frame
from deeprc.frames.lazy import deal


def truth_values_in_a_list_are_those_of_all_rows() -> None:
    """They were predicates, one by one: no row was left where one of them was false."""
    table = pl.DataFrame({"x": range(1500)})
    truths = [x % 3 == 0 for x in range(1500)]
    for given in (truths, np.array(truths), pl.Series(truths), (truth for truth in truths)):
        same(mine(table).lazy().filter(given), table.filter(truths))
    same(mine(table).lazy().filter(truths, pl.col("x") > 9), table.filter(truths, pl.col("x") > 9))
    same(mine(table).lazy().filter(True, [pl.col("x") > 9]), table.filter(pl.col("x") > 9))
    with fails(DeepRCError, "differs from that of the series: 1500"):
        mine(table).lazy().filter([True, False]).collect()


def codes_of_categories_are_those_of_one_process() -> None:
    """Those that other ranks had given were mixed with a rank's own."""
    table = pl.DataFrame({"k": [1, 2] * 6, "c": ["x", "y", "z", "x", "w", "y", "x", "q", "z", "r", "s", "q"]})
    frame = Frame(mine(table).to_polars().with_columns(pl.col("c").cast(pl.Categorical)), COMM)
    code = pl.col("c").cat.physical()
    codes = gathered(frame.lazy().with_columns(code=code).collect())
    spread, deal.SPREAD_BYTES = deal.SPREAD_BYTES, 0
    little, deal.LITTLE_BYTES = deal.LITTLE_BYTES, 0
    try:
        for order in (False, True):
            groups = (
                frame.lazy()
                .group_by("k", maintain_order=order)
                .agg(code.max().alias("max"), pl.col("c").to_physical(), (code + 1).sum().alias("sum"), pl.len())
            )
            found = gathered(groups.sort("k").collect())
            made = codes.group_by("k").agg(
                pl.col("code").max().alias("max"),
                pl.col("code").alias("c"),
                (pl.col("code") + 1).sum().alias("sum"),
                pl.len(),
            )
            assert_frame_equal(found, made.sort("k"))
    finally:
        deal.SPREAD_BYTES, deal.LITTLE_BYTES = spread, little


SCENARIOS = scenarios_of(globals(), but=(same,))
