"""Rows that are cut into parts and sorted part by part are in Polars' order, whatever their keys are."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deeprc.frames import Communicator
from deeprc.frames.lazy.ordering import RANK_AT, OrderByCodes, OrderByWords, order_by

RANDOM = np.random.default_rng(0)
ROWS = 4000
NUMBERS = pl.Series("n", RANDOM.integers(0, 700, ROWS))
TABLE = pl.select(
    text=pl.lit("a rather long name of a basin ") + NUMBERS.cast(pl.String),
    number=NUMBERS,
    none=pl.when(NUMBERS % 5 > 0).then(NUMBERS.cast(pl.String)),
    list=pl.concat_list(NUMBERS % 3),
)


@pytest.mark.parametrize(
    ("by", "falling", "kind"),
    [
        (["number"], [True], OrderByCodes),
        (["text"], [False], OrderByWords),
        (["none", "text"], [True, False], OrderByWords),
        (["list", "number"], [False, True], OrderByWords),
    ],
)
def test_parts_one_after_the_other_are_in_order(by: list[str], falling: list[bool], kind: type) -> None:
    """With the numbers that rows have before they are sent, and the ranks that they have afterwards."""
    parts = 7
    order = order_by(by, falling, [TABLE.select(by)], TABLE.schema, 0.2, parts, "at", Communicator.world())
    assert isinstance(order, kind)
    ranks = np.arange(ROWS) * 3 // ROWS  # of three ranks, whose rows come mixed, each one's in order
    numbers = (ranks.astype(np.int64) << RANK_AT) + np.arange(ROWS)
    places = order.place(TABLE.with_columns(at=numbers))
    assert np.bincount(places, minlength=parts).min() > ROWS / parts / 3
    sent = TABLE.with_columns(at=pl.Series(ranks, dtype=pl.UInt32), place=places)
    mixed = sent[np.concatenate([np.flatnonzero(ranks == rank) for rank in (2, 0, 1)]).astype(np.uint32)]
    made = pl.concat([order.sorted(mixed.filter(pl.col("place") == part).drop("place")) for part in range(parts)])
    assert made.equals(TABLE.sort(by, descending=falling, maintain_order=True))
