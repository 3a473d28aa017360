import itertools
import math
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.applications.forecasting.features import FAR, calendar, edges, fill, fit, scale
from deeprc.applications.forecasting.grid import Grid
from deeprc.applications.forecasting.step import TimeStep
from profiles import examples


def grid(lengths: list[int], cuts: list[tuple[int, int]], step: str = "1h") -> Grid:
    """Series of some lengths, cut at rows of their own, each from 2010 on."""
    begins = list(itertools.accumulate(lengths, initial=0))
    table = {
        "id": [f"s{index}" for index in range(len(lengths))],
        "first": [datetime(2010, 1, 1)] * len(lengths),
        "day": [1] * len(lengths),
        "begin": begins[:-1],
        "val": [begin + cut[0] for begin, cut in zip(begins, cuts, strict=False)],
        "test": [begin + cut[1] for begin, cut in zip(begins, cuts, strict=False)],
        "end": begins[1:],
    }
    schema = {"first": pl.Datetime("us"), "day": pl.Int8}
    return Grid(TimeStep.parse(step), 1, pl.DataFrame(table, schema_overrides=schema), [])


def series(values: list[float | None], cuts: tuple[int, int] = (100, 101)) -> pl.DataFrame:
    values = pl.Series("y", values, dtype=pl.Float64)
    length = len(values)
    return grid([length], [tuple(min(cut, length) for cut in cuts)]).stretch(0, length).with_columns(values)


def filled(table: pl.DataFrame, max_gap: int = 2, ranks: int = 1) -> pl.DataFrame:
    """The table filled as `ranks` ranks would, each seeing its own rows and the others' edges."""
    bounds = [len(table) * rank // ranks for rank in range(ranks + 1)]
    parts = [table[begin:end] for begin, end in itertools.pairwise(bounds)]
    others = [edges(part, ["y"]) for part in parts]
    return pl.concat([fill(part, others, ["y"], max_gap) for part in parts])


def test_short_gaps_are_interpolated_and_long_ones_repeat_the_last_value():
    result = filled(series([1.0, None, None, 4.0, None, None, None, 8.0]))
    assert result["y"].to_list() == [1, 2, 3, 4, 4, 4, 4, 8]
    assert result["usable"].to_list() == [True, True, True, True, False, False, False, True]


def test_ends_are_filled_with_the_nearest_known_value_and_do_not_count():
    result = filled(series([None, 2.0, None]))
    assert result["y"].to_list() == [2, 2, 2]
    assert result["usable"].to_list() == [False, True, False]


def test_no_value_of_a_later_part_is_used():
    """The gap lies across the cut at row 2: interpolation would carry the validation part's 9 into training."""
    result = filled(series([1.0, None, None, 9.0], cuts=(2, 4)))
    assert result["y"].to_list() == [1, 1, 1, 9]
    assert result["usable"].to_list() == [True, False, False, True]


def test_no_value_goes_from_one_series_to_another():
    table = grid([3, 3, 2], [(3, 3), (3, 3), (2, 2)]).stretch(0, 8)
    table = table.with_columns(pl.Series("y", [1.0, 2.0, None, None, 5.0, 6.0, None, None]))
    result = filled(table)
    assert result["y"].to_list() == [1, 2, 2, 5, 5, 6, None, None]
    assert result["usable"].to_list() == [True, True, False, False, True, True, False, False]


VALUES = st.one_of(st.none(), st.integers(-5, 5).map(float))


@settings(max_examples=examples(50))
@given(
    st.lists(st.lists(VALUES, min_size=4, max_size=25).filter(any), min_size=1, max_size=4),
    st.integers(0, 4),
    st.integers(2, 4),
)
def test_the_number_of_ranks_does_not_show(several, max_gap, ranks):
    lengths = [len(values) for values in several]
    layout = grid(lengths, [(length // 2, length * 3 // 4) for length in lengths])
    table = layout.stretch(0, sum(lengths)).with_columns(pl.Series("y", [*itertools.chain(*several)], dtype=pl.Float64))
    one, many = filled(table, max_gap), filled(table, max_gap, ranks)
    assert one.equals(many)
    alone = [filled(table.filter(pl.col("series") == number), max_gap) for number in range(len(several))]
    assert one.equals(pl.concat(alone))  # nor do the other series
    assert one["y"].null_count() == 0
    known = table["y"].is_not_null()
    assert one.filter(known)["y"].to_list() == table.filter(known)["y"].to_list()
    assert one.filter(known)["usable"].all()


def names(step: str, form: str = "circles") -> list[str]:
    return [column.name for column in calendar(pl.Series([datetime(2010, 1, 1)]), TimeStep.parse(step), form)]


def test_calendar_by_hand():
    table = pl.DataFrame(calendar(pl.Series([datetime(2010, 1, 2, 6), datetime(2010, 1, 2, 7)]), TimeStep.parse("1h")))
    first = table.row(0, named=True)  # 6 o'clock on a Saturday
    assert first["hour_sin"] == pytest.approx(1)
    assert first["hour_cos"] == pytest.approx(0, abs=1e-6)
    assert (first["month_sin"], first["month_cos"]) == pytest.approx((0, 1))
    assert first["weekday_sin"] == pytest.approx(-0.974928, abs=1e-5)  # sin(2π 5/7)


def test_the_calendar_has_what_the_step_can_see():
    both = lambda *turns: [f"{turn}_{function}" for turn in turns for function in ("sin", "cos")]  # noqa: E731
    assert names("15m") == names("1h") == names("36h") == both("hour", "weekday", "month")
    assert names("1d") == names("2d") == both("weekday", "month")
    assert names("1w") == names("1mo") == names("1q") == both("month")
    assert names("1y") == []


def test_the_calendar_as_numbers_by_hand():
    times = pl.Series([datetime(2016, 7, 1, 0), datetime(2016, 12, 31, 23)])  # a Friday and a Saturday of a leap year
    table = pl.DataFrame(calendar(times, TimeStep.parse("1h"), "numbers"))
    assert table.columns == ["hour", "weekday", "day", "day_of_year"]
    assert table.row(0) == pytest.approx((-0.5, 4 / 6 - 0.5, -0.5, 182 / 365 - 0.5))
    assert table.row(1) == pytest.approx((0.5, 5 / 6 - 0.5, 0.5, 0.5))


def test_the_calendar_as_numbers_has_what_the_step_can_see():
    assert names("15m", "numbers") == ["minute", "hour", "weekday", "day", "day_of_year"]
    assert names("1d", "numbers") == ["weekday", "day", "day_of_year"]
    assert names("1w", "numbers") == ["day", "day_of_year"]
    assert names("1mo", "numbers") == ["month"]
    assert names("1y", "numbers") == []


def test_fit_takes_each_series_by_itself():
    values = np.array([[1.0, 7.0], [3.0, 7.0], [10.0, np.nan], [10.0, np.nan]])
    found = fit(values, np.array([0, 2]))
    assert found.tolist() == [[[2, 1], [7, 1]], [[10, 1], [0, 1]]]  # what stands still or is not known: by 1


def test_fit_leaves_out_what_is_not_known():
    assert fit(np.array([[np.nan], [1.0], [3.0]]), np.array([0])).tolist() == [[[2, 1]]]


def test_numbers_far_off_zero_are_scaled_by_their_own_mean():
    """A mean that is rounded to ten digits would put them thousands of deviations away, with nothing left of them."""
    values = 1e15 + np.array([[0.0], [3.0], [6.0], [3.0]])
    ((mean, spread),) = fit(values, np.array([0]))[0]
    assert ((values - mean) / spread).ravel() == pytest.approx([-(2**0.5), 0, 2**0.5, 0])


def test_scale():
    table = pl.DataFrame({"series": [0, 0, 1], "y": [1.0, 5.0, 5.0], "x:a": [0.0, None, 1e300]})
    scaler = np.array([[[1.0, 2.0], [0.0, 1.0]], [[3.0, 4.0], [0.0, 1e-3]]])
    scaled = scale(table, ["y", "x:a"], scaler)
    assert scaled["y"].to_list() == [0, 2, 0.5]
    assert scaled["x:a"].to_list() == [0, 0, FAR]
    assert scaled["y"].dtype == pl.Float32
    assert not any(map(math.isnan, scaled["x:a"]))
