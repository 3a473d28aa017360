from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets.base import Basin
from deeprc.applications.hydrology.splits import boundaries, complete, part, refuse_held_out, refuse_too_few
from deeprc.core.errors import DeepRCError, InputError


def days(*numbers):
    return np.array(numbers, "datetime64[D]")


def test_fractions_of_the_observed_time():
    config = DataConfig(split=(0.5, 0.25))
    assert boundaries(date(2000, 1, 1), date(2000, 1, 8), config) == (date(2000, 1, 5), date(2000, 1, 7))


def test_dates_may_be_given():
    config = DataConfig(split_dates=("1985-10-01", "1987-10-01"))
    assert boundaries(date(1980, 1, 1), date(1990, 1, 1), config) == (date(1985, 10, 1), date(1987, 10, 1))


def test_a_part_begins_on_its_day():
    frame = pl.DataFrame({"day": [date(2000, 1, day) for day in (1, 4, 5, 6, 7)]})
    found = frame.select(part(pl.col("day"), pl.lit(date(2000, 1, 5)), pl.lit(date(2000, 1, 7))))
    assert found.to_series().to_list() == ["train", "train", "val", "val", "test"]


def test_a_basin_that_is_held_out_has_nothing_to_learn_from():
    frame = pl.DataFrame({"day": [date(2000, 1, day) for day in (1, 4, 5, 6, 7)]})
    held_out = pl.lit("a").is_in(["a", "b"])
    found = frame.select(part(pl.col("day"), pl.lit(date(2000, 1, 5)), pl.lit(date(2000, 1, 7)), held_out))
    assert found.to_series().to_list() == ["held-out"] * 4 + ["test"]


def basin(name: str, unit: str = "mm/day", attributes: dict | None = None) -> Basin:
    return Basin(name, name, 1.0, unit, {"prcp": "mm/day"}, {"slope": 1.0} if attributes is None else attributes)


@pytest.mark.parametrize(
    ("basins", "held_out", "message"),
    [
        ([basin("weser"), basin("eder")], ["edder"], "key 'held_out': unknown basin 'edder'"),
        (
            [basin("weser", attributes={}), basin("eder", attributes={})],
            ["eder"],
            "key 'held_out': the basin 'eder' cannot be held out: without attributes, networks know basins by their "
            "names\n  found: no attributes in this data set: weser, eder",
        ),
        (
            [basin("weser", "m³/s"), basin("eder"), basin("diemel")],
            ["eder", "diemel"],
            "key 'held_out': the basin 'eder' cannot be held out: none with its inputs and its unit is left to learn "
            "from\n  found: prcp; mm/day",
        ),
    ],
)
def test_what_cannot_be_held_out_is_refused(basins, held_out, message):
    with pytest.raises(DeepRCError) as caught:
        refuse_held_out(basins, held_out)
    assert str(caught.value).startswith(message)
    refuse_held_out(basins, [])


def test_windows_need_consecutive_days_of_one_basin_with_known_weather():
    basins = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    when = days(1, 2, 3, 5, 6, 7, 1, 2, 3)  # a day is left out in basin 0
    known = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1], bool)
    assert np.flatnonzero(complete(basins, when, known, 3)).tolist() == [2, 5]
    assert np.flatnonzero(complete(basins, when, known, 2)).tolist() == [1, 2, 4, 5]
    assert np.flatnonzero(complete(basins, when, known, 1)).tolist() == [0, 1, 2, 3, 4, 5, 6, 8]


# Slow is no failure: other jobs share the cores.
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.booleans()), unique_by=lambda row: row[:2]),
    st.integers(1, 6),
)
def test_complete_agrees_with_its_definition(rows, window):
    rows.sort()
    known = {(basin, day) for basin, day, good in rows if good}
    expected = [all((basin, day - back) in known for back in range(window)) for basin, day, _ in rows]
    basins, when, good = (np.array([row[column] for row in rows]) for column in range(3))
    found = complete(basins, when.astype("datetime64[D]"), good.astype(bool), window)
    assert found.tolist() == expected


def test_windows_of_each_part_are_counted():
    parts = np.array(["train", "train", "val", "test"])
    assert refuse_too_few("b", parts, np.ones(4, bool), 2, "f") == {"train": 2, "val": 1, "test": 1}


def test_a_part_without_windows_is_refused():
    parts = np.array(["train", "train", "val", "test"])
    with pytest.raises(InputError) as caught:
        refuse_too_few("fulda", parts, np.array([True, True, False, True]), 90, "fulda.csv")
    assert str(caught.value) == (
        "fulda.csv: too few days for the windows: the val part of the basin 'fulda' has none\n"
        "  found: 1 days in this part, 4 in all\n"
        "  expected: at least one day with discharge, after 89 days whose weather is complete\n"
        "  fix: shorten 'window', move 'split', or leave the basin out (key 'basins')"
    )
