"""No forecast is made from what comes after it: gaps before its origin are filled by what was known there."""

from datetime import datetime

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.applications.base.split import PARTS
from deeprc.applications.forecasting.features import GAP, edges, fill
from deeprc.applications.forecasting.grid import Grid
from deeprc.applications.forecasting.network import Windows
from deeprc.applications.forecasting.references import linear_forecast, naive_forecasts
from deeprc.applications.forecasting.series import Series
from deeprc.applications.forecasting.step import TimeStep
from deeprc.learning.mapped import Mapped
from profiles import examples

COLUMNS = ["y", "x:a"]


def prepared(y: list, a: list, cuts: tuple[int, int], *, horizon: int = 2, input_size: int = 4, max_gap=3) -> Series:
    """One series as `prepare` writes it, but not scaled."""
    layout = {"id": ["s"], "first": [datetime(2010, 1, 1)], "day": [1], "begin": [0], "val": [cuts[0]]}
    schema = {"first": pl.Datetime("us"), "day": pl.Int8}
    table = pl.DataFrame(layout | {"test": [cuts[1]], "end": [len(y)]}, schema_overrides=schema)
    rows = Grid(TimeStep.parse("1h"), 1, table, []).stretch(0, len(y))
    rows = rows.with_columns(pl.Series("y", y, pl.Float64), pl.Series("x:a", a, pl.Float64))
    rows = rows.with_columns(pl.col("y").alias("y_raw"), pl.col("y").is_not_null().alias("observed"))
    rows = fill(rows, [edges(rows, COLUMNS)], COLUMNS, max_gap).with_columns(pl.col(COLUMNS).fill_null(0.0))
    rows = rows.with_columns(pl.col(COLUMNS).cast(pl.Float32))
    meta = {"horizon": horizon, "input_size": input_size, "season": 3, "history": ["x:a"], "future": []}
    bounds = np.array([[0, *cuts, len(y)]])
    meta |= {"series": [{"id": "s"}]}
    return Series(Mapped(rows.to_arrow()), bounds=bounds, scale=np.array([[0.0, 1.0]]), meta=meta)


def test_the_value_that_ends_a_gap_is_not_known_within_it():
    """Rows 8 and 9 are missing, and row 10 says 37: forecasts from the rows 9 and 10 on do not know it."""
    y = [*map(float, range(8)), None, None, 37.0, 38.0, 39.0, 40.0]
    series = prepared(y, y, (5, 7))
    for origin, past in {9: [5, 6, 7, 7], 10: [6, 7, 7, 7], 11: [7, 17, 27, 37], 12: [17, 27, 37, 38]}.items():
        windows = Windows(series, np.array([origin]))
        assert windows["past"].tolist() == [past]
        assert windows["history"][..., 0].tolist() == [past]
    naive = naive_forecasts(series)  # from the rows 7, 9 and 11 on
    assert naive["last value"].tolist() == [[6, 6], [7, 7], [37, 37]]
    assert naive["seasonal naive"].tolist() == [[4, 5], [6, 7], [17, 27]]


def test_a_gap_that_is_longer_than_a_window():
    series = prepared([1.0, 2.0, None, None, None, 9.0, 9.0, 9.0], [None] * 8, (8, 8), input_size=2)
    assert series.known("y", np.array([[3, 4]]), np.array([5])).tolist() == [[2, 2]]
    assert Windows(series, np.array([5, 6]))["past"].tolist() == [[2, 2], [7.25, 9]]
    assert GAP + "y" in series.rows.table.column_names


def test_no_forecast_begins_before_the_first_value_of_the_target():
    series = prepared([None] * 6 + [5.0, 6.0, 7.0, 8.0], [None, *[1.0] * 9], (10, 10))
    assert series.origins("train").tolist() == [7, 8]
    assert Windows(series, np.array([7]))["past"].tolist() == [[5, 5, 5, 5]]  # known by then


def test_a_covariate_is_its_mean_before_its_first_value():
    series = prepared([*map(float, range(10))], [None] * 6 + [5.0] * 4, (10, 10))
    assert Windows(series, np.array([4, 8]))["history"][..., 0].tolist() == [[0, 0, 0, 0], [0, 0, 5, 5]]


VALUES = st.one_of(st.none(), st.integers(-9, 9).map(float))
ROWS, CUTS = 30, (16, 22)


@settings(max_examples=examples(25), deadline=None)
@given(*[st.lists(VALUES, min_size=ROWS, max_size=ROWS)] * 4, st.integers(0, 4), st.integers(5, ROWS - 2))
def test_whatever_comes_later_changes_no_past(y, a, other_y, other_a, max_gap, origin):
    series = prepared(y, a, CUTS, max_gap=max_gap)
    if origin not in np.concatenate([series.origins(part) for part in PARTS]):
        return  # the horizon would reach into the next part
    told = Windows(series, np.array([origin]))
    other = prepared(y[:origin] + other_y[origin:], a[:origin] + other_a[origin:], CUTS, max_gap=max_gap)
    seen = Windows(other, np.array([origin]))
    assert np.array_equal(told["past"], seen["past"]) and np.array_equal(told["history"], seen["history"])


def test_the_linear_model_is_fitted_on_what_was_known():
    """It would else read in the gap before each origin what comes: nothing of these values can be forecast."""
    chance = np.random.default_rng(1)
    y = np.repeat(chance.normal(0, 100, 120), 4).tolist()
    y = [None if row % 4 == 3 else value for row, value in enumerate(y)]
    y = y[1:]  # at the rows 3, 7, … a new level begins after a gap: those are the test's origins
    series = prepared(y, y, (300, 399), horizon=3, input_size=4)
    rows = series.origins("test", stride=3)[:, None] + np.arange(3)
    known = series.observed[rows]
    begin = (rows[:, 0] % 4 == 3)[:, None] & known
    error = np.abs(linear_forecast(series) - series.y_raw[rows])[begin].mean()
    assert error > 60  # the mean distance from nothing known is 80
