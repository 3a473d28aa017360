"""Where the columns of a join come from: predicates and the columns that are read go by it."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest

from deeprc.frames.lazy.joins import HOW
from deeprc.frames.lazy.nodes import Source
from deeprc.frames.lazy.several import Join

LEFT = (["k", "x"], ["k", "q", "x"], ["x", "k", "x_right"], ["k"])
RIGHT = (["k", "x"], ["q", "x"], ["q", "k", "x"], ["x", "k"])


def source(table: pl.DataFrame) -> Source:
    return Source(schema=table.schema, rows=None)


@pytest.mark.parametrize("how", [how for how in HOW if how != "cross"])
def test_every_column_of_a_join_is_that_of_a_side(how: str) -> None:
    tried = 0
    for (a, b), coalesce, ours, theirs in product(
        [("k", "k"), ("k", "q"), ("k", "x")], (None, True, False), LEFT, RIGHT
    ):
        if b not in theirs:
            continue
        # The keys are equal; every other column has a value of its own.
        left = pl.DataFrame({name: [0 if name == a else 10 + at] for at, name in enumerate(ours)})
        right = pl.DataFrame({name: [0 if name == b else 20 + at] for at, name in enumerate(theirs)})
        options = {"suffix": "_right", "coalesce": coalesce, "nulls_equal": False}
        both = {"left": source(left), "right": source(right), "left_on": (a,), "right_on": (b,)}
        join = Join(schema=left.schema, how=how, options=options, **both)
        try:
            made = join.made(left.lazy(), right.lazy()).collect()
        except pl.exceptions.PolarsError:
            continue  # two columns would have the same name
        tried += 1
        assert sorted(join.origins) == sorted(made.columns)
        for name, (at_left, at_right) in join.origins.items() if made.height else ():
            assert at_left is None or made[name].item() == left[at_left].item()
            assert at_right is None or made[name].item() == right[at_right].item()
    assert tried > 50
