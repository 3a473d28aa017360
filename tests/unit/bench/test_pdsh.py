"""How answers are compared; each kind of difference is found."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from deeprc.bench.pdsh.answers import difference
from deeprc.bench.pdsh.run import run
from deeprc.core.errors import ConfigError

FOUND = pl.DataFrame({"k": ["a", None], "n": [1, 2], "x": [0.5, 12345.678], "d": [dt.date(2024, 2, 29)] * 2})
EXPECTED = [["a", "1", "0.5", "2024-02-29"], ["", "2", "12345.68", "2024-02-29"]]


def test_an_answer_is_the_same_up_to_its_digits() -> None:
    assert difference(FOUND, EXPECTED) is None
    assert difference(FOUND.with_columns(pl.col("x").cast(pl.Decimal(12, 3))), EXPECTED) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (FOUND.head(1), "1 rows, not 2"),
        (FOUND.drop("d"), "3 columns, not 4"),
        (FOUND.with_columns(n=pl.lit(1)), "row 1, n: 1, not 2"),
        (FOUND.with_columns(k=pl.lit("")), "row 0, k: '', not a"),
        (FOUND.with_columns(x=pl.col("x") + 0.06), "row 0, x: 0.56, not 0.5"),
        (FOUND.with_columns(x=pl.when(n=1).then(0.5).otherwise(12345.674)), "row 1, x: 12345.674, not 12345.68"),
        (FOUND.with_columns(x=pl.lit(Decimal("0.5"))), "row 1, x: Decimal('0.5'), not 12345.68"),
        (FOUND.with_columns(x=pl.lit(None, pl.Float64)), "row 0, x: None, not 0.5"),
        (FOUND.with_columns(x=pl.lit(float("nan"))), "row 0, x: nan, not 0.5"),
        (FOUND.reverse(), "row 0, k: None, not a"),
    ],
)
def test_a_difference_is_told(found: pl.DataFrame, said: str) -> None:
    assert difference(found, EXPECTED) == said


def test_no_value_is_no_zero() -> None:
    assert difference(pl.DataFrame({"x": [0.0]}), [[""]]) == "row 0, x: 0.0, not "
    assert difference(pl.DataFrame({"x": [None]}, schema={"x": pl.Float64}), [[""]]) is None


def test_unknown_engines_and_queries_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'polars'"):
        run(0.01, 1, engine="polers")
    with pytest.raises(ConfigError, match="there is no query 23"):
        run(0.01, 1, query=23)
