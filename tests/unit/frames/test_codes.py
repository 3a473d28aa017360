"""Codes sort as the columns do."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.frames import codes
from deeprc.frames.codes import Range, argsort, bits, decode, encodable, encode, ranges, union

COLUMNS = {
    "int8": (pl.Int8(), st.integers(-128, 127)),
    "int64": (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pl.UInt64(), st.integers(0, 2**64 - 1)),
    "bool": (pl.Boolean(), st.booleans()),
    "date": (pl.Date(), st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))),
    "time": (pl.Datetime("us", "UTC"), st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))),
    "duration": (pl.Duration("ms"), st.timedeltas(dt.timedelta(-999), dt.timedelta(999))),
    "float64": (pl.Float64(), st.floats() | st.sampled_from([0.0, -0.0, float("nan")])),
    "float32": (pl.Float32(), st.floats(width=32)),
}


@st.composite
def columns(draw: st.DrawFn) -> list[pl.Series]:
    height = draw(st.integers(0, 20))
    kinds = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=3))
    return [
        pl.Series(
            f"{index}", draw(st.lists(st.none() | COLUMNS[kind][1], min_size=height, max_size=height)), COLUMNS[kind][0]
        )
        for index, kind in enumerate(kinds)
    ]


@given(columns(), st.data())
def test_codes_sort_as_polars_does(keys: list[pl.Series], data: st.DataObject) -> None:
    spans = ranges(keys)
    if bits(spans) > 64:
        return
    descending = data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys)))
    order, in_order = argsort(encode(keys, spans, descending), bits(spans))
    table = pl.DataFrame(keys)
    expected = table.with_row_index().sort(table.columns, descending=descending, maintain_order=True)
    assert order.tolist() == expected["index"].to_list()
    assert (in_order[1:] >= in_order[:-1]).all()


@given(columns())
def test_values_are_read_off_the_codes(keys: list[pl.Series]) -> None:
    spans = ranges(keys)
    if bits(spans) > 64 or any(key.dtype.is_float() for key in keys):
        return
    for key, found in zip(keys, decode(encode(keys, spans, [False] * len(keys)), keys, spans), strict=True):
        assert found.equals(key, check_dtypes=True, check_names=True, null_equal=True)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3) | st.integers(2**64 - 4, 2**64 - 1), max_size=60))
def test_codes_that_leave_no_room_for_the_row_are_put_right(values: list[int]) -> None:
    codes = np.array(values, dtype=np.uint64)
    order, in_order = argsort(codes, 64)
    assert order.tolist() == np.argsort(codes, kind="stable").tolist()
    assert in_order.tolist() == sorted(values)


def test_a_null_takes_one_code() -> None:
    assert Range(0, 255, nulls=False).bits == 8
    assert Range(0, 255, nulls=True).bits == 9
    key = pl.Series([3, None, 1])
    assert encode([key], ranges([key]), [False]).tolist() == [3, 0, 1]
    assert encode([key], ranges([key]), [True]).tolist() == [1, 0, 3]


def test_ranges_of_several_frames() -> None:
    first, second, empty = pl.Series([5, 7]), pl.Series([-2, None]), pl.Series([], dtype=pl.Int64)
    assert union(*(ranges([key]) for key in (first, second, empty))) == [Range(-2, 7, nulls=True)]


@pytest.mark.parametrize(
    ("dtype", "expected"), [(pl.Int8(), True), (pl.Time(), True), (pl.Int128(), False), (pl.String(), False)]
)
def test_what_has_codes(dtype: pl.DataType, expected: bool) -> None:
    assert encodable(dtype) is expected


@pytest.mark.parametrize("by_polars", [True, False])
@pytest.mark.parametrize("width", [20, 60, 64])
def test_both_sorts_give_the_same_stable_order(monkeypatch, by_polars: bool, width: int) -> None:
    monkeypatch.setattr(codes, "_polars_sorts_faster", lambda: by_polars)
    rows = codes.PROBE + 5
    random = np.random.default_rng(width).integers(0, 2**width - 1, rows // 2, np.uint64, endpoint=True)
    values = np.append(random, random[: rows - len(random)])  # every code twice
    order, in_order = codes.argsort(values.copy(), width)
    assert (order == np.argsort(values, kind="stable")).all()
    assert (in_order == np.sort(values)).all()


def test_a_try_tells_which_sort_is_faster() -> None:
    codes._polars_sorts_faster.cache_clear()
    assert codes._polars_sorts_faster() in (True, False)
