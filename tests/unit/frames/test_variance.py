"""Variances: right to the last bit, in any order and however the rows are parted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.frames.variance import partial_sums, variances
from deeprc.frames.wideint import absolute, carried, limbs, shifted, square

EPOCH = 1_700_000_000_000_000_000  # nanoseconds
VALUES = st.one_of(
    st.tuples(st.just(pl.Float64), st.lists(st.floats(allow_nan=False, allow_infinity=False))),
    st.tuples(st.just(pl.Float64), st.lists(st.integers(-9, 9).map(lambda n: 1e9 + n / 8))),
    st.tuples(st.just(pl.Float32), st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False))),
    st.tuples(st.just(pl.Int64), st.lists(st.integers(-(2**63), 2**63 - 1))),
    st.tuples(st.just(pl.Int64), st.lists(st.integers(0, 10**6).map(lambda n: EPOCH + n))),
    st.tuples(st.just(pl.UInt64), st.lists(st.integers(0, 2**64 - 1))),
    st.tuples(st.just(pl.Int128), st.lists(st.integers(-(2**127), 2**127 - 1))),
    st.tuples(st.just(pl.Decimal(20, 2)), st.lists(st.decimals(-(10**15), 10**15, places=2))),
    st.tuples(st.just(pl.Boolean), st.lists(st.booleans())),
)


def variance(parts: list[pl.Series]) -> float | None:
    sums = [
        partial_sums(pl.DataFrame({"k": pl.Series([7] * len(part), dtype=pl.Int64), "c": part}), ["k"], "c")
        for part in parts
    ]
    return dict(variances(pl.concat(sums), ["k"], "var").rows()).get(7)


def exactly(values: pl.Series) -> float | None:
    """The definition, in fractions."""
    numbers = [Fraction(value) for value in values.cast(pl.Float64)]
    if len(numbers) < 2:
        return None
    mean = sum(numbers) / len(numbers)
    try:
        return float(sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))
    except OverflowError:
        return math.inf


@given(VALUES, st.randoms(use_true_random=False))
def test_the_variance_is_exact_in_any_order_and_parts(drawn: tuple, random) -> None:
    dtype, values = drawn
    series = pl.Series(values, dtype=dtype)
    expected = exactly(series)
    assert variance([series]) == expected
    random.shuffle(values)
    cut = random.randint(0, len(values))
    assert variance([pl.Series(part, dtype=dtype) for part in (values[cut:], values[:cut])]) == expected


@pytest.mark.parametrize("spread", [1, 1000, 10**9])
@pytest.mark.parametrize("offset", [0, 101_325, EPOCH // 1000, EPOCH])
def test_large_means_do_not_cancel(offset: int, spread: int) -> None:
    values = pl.Series(offset + spread * np.random.default_rng(offset % 97).integers(0, 9, 5000))
    assert variance([values]) == exactly(values)
    assert variance([values]) == pytest.approx(values.var(), rel=1e-12 if offset < EPOCH // 1000 else 0.5)
    shuffled = values.shuffle(3)
    assert variance([shuffled[at : at + 700] for at in range(0, 5000, 700)]) == variance([values])


def test_values_that_are_no_numbers() -> None:
    nan, inf = math.nan, math.inf
    table = pl.DataFrame(
        {
            "k": [1, 1, 2, 2, 3, 4, 4, 5, 5, None, None],
            "c": [nan, 1.0, inf, 1.0, nan, None, 2.0, 1e300, -1e300, 1.0, 3.0],
        }
    )
    found = variances(partial_sums(table, ["k"], "c"), ["k"], "var").sort("k")
    expected = table.group_by("k").agg(var=pl.col("c").var()).sort("k")
    assert found.equals(expected)
    assert expected["var"].to_list()[0] == 2.0 and expected["var"].to_list()[-1] == inf
    assert variances(partial_sums(table.clear(), ["k"], "c"), ["k"], "var").schema == found.schema


@pytest.mark.parametrize("scale", [1.0, 2.0**-530, 2.0**500])
def test_many_groups_at_once_are_as_exact_as_one(scale: float) -> None:
    random = np.random.default_rng(5)
    values = random.normal(0, 1, 1200) * random.choice([1, 1e3, 1e9, 1e30], 1200) * scale
    values[::7] = 0.1 * scale  # equal values among them: no spread at all
    table = pl.DataFrame({"k": random.integers(0, 400, 1200), "c": values})
    table = pl.concat([table, table.head(9).with_columns(k=pl.lit(1000, pl.Int64), c=pl.lit(0.1))])
    found = dict(variances(partial_sums(table, ["k"], "c"), ["k"], "var").rows())
    assert found == {key: exactly(group["c"]) for (key,), group in table.group_by("k")}
    assert found[1000] == 0.0


def test_sums_in_limbs_are_those_of_whole_numbers() -> None:
    numbers = [0, 1, -1, 2**62, -(2**62), 10**37, -(10**37), 2**103 + 12345, -(2**103) - 1]
    taken = limbs(pl.Series(numbers, dtype=pl.Int128))

    def value(limb: list[np.ndarray]) -> list[int]:
        return [sum(int(part) << (32 * index) for index, part in enumerate(row)) for row in zip(*limb, strict=True)]

    assert value(taken) == value(carried(taken)) == numbers
    assert value(shifted(taken, 75)) == [number << 75 for number in numbers]
    assert value(square(absolute(taken))) == [number**2 for number in numbers]
