"""The grid under the times: steps of days and of months, several series, and what is refused."""

import calendar
import itertools
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import Observations
from deeprc.applications.forecasting.grid import Grid, lay_out
from deeprc.applications.forecasting.splits import refuse_unknown
from deeprc.core.errors import DeepRCError, InputError
from profiles import examples

HOUR = timedelta(hours=1)
START = datetime(2020, 1, 1)


def hours(count: int, step: timedelta = HOUR, start: datetime = START) -> list[datetime]:
    return [start + index * step for index in range(count)]


def months(count: int, *, day: int = 1, each: int = 1, year: int = 2019, month: int = 1) -> list[datetime]:
    """Every `each` months from the first on, on the day of the month or the last that the month has."""
    found = []
    for index in range(month - 1, month - 1 + count * each, each):
        when = year + index // 12, index % 12 + 1
        found.append(datetime(*when, min(day, calendar.monthrange(*when)[1])))
    return found


def found(**series: list[datetime]) -> Observations:
    rows = [(name, time, 1.0) for name, times in series.items() for time in times]
    schema = {"id": pl.String, "time": pl.Datetime("us"), "y": pl.Float64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return Observations(frame, "t", "y", "", [], list(series), [], None)


def grid(times: list[datetime] | Observations, **config) -> Grid:
    options = {"horizon": 2, "input_size": 3, "split": (0.5, 0.2)} | config
    return lay_out(times if isinstance(times, Observations) else found(a=times), DataConfig(**options), Path("b.csv"))


def refusal(times, **config) -> str:
    with pytest.raises(DeepRCError) as error:
        grid(times, **config)
    return str(error.value)


@pytest.mark.parametrize(
    ("times", "step", "season"),
    [
        (hours(20), "1 hour", 24),
        (hours(20, HOUR / 4), "15 minutes", 96),
        (hours(20, 24 * HOUR), "1 day", 7),
        (hours(20, 7 * 24 * HOUR), "1 week", 52),
        (hours(20, 28 * 24 * HOUR), "4 weeks", 13),
        (hours(20, 365 * 24 * HOUR), "365 days", 1),
        (months(20), "1 month", 12),
        (months(20, day=31), "1 month", 12),
        (months(20, day=30), "1 month", 12),
        (months(20, day=31, month=2), "1 month", 12),  # from the 29th of a February on: the last days of months
        (months(20, day=15, each=3), "1 quarter", 4),
        (months(20, day=31, each=3, month=3), "1 quarter", 4),
        (months(20, each=6), "6 months", 2),
        (months(20, each=12), "1 year", 1),
        (months(20, each=12, day=31, month=2), "1 year", 1),
    ],
)
def test_the_step_is_found_and_every_time_lies_on_its_row(times, step, season):
    known = [time for index, time in enumerate(times) if index not in (5, 6, 11)]
    layout = grid(known)
    assert (str(layout.step), layout.season, layout.rows) == (step, season, 20)
    assert layout.stretch(0, 20)["ds"].to_list() == times
    assert (layout.first, layout.last) == (times[0], times[-1])
    placed = layout.place(found(a=known).frame)
    assert placed["row"].to_list() == [index for index in range(20) if index not in (5, 6, 11)]


@settings(max_examples=examples(50))
@given(
    st.lists(st.tuples(st.integers(10, 40), st.integers(1, 31), st.integers(1, 12)), min_size=1, max_size=4),
    st.sampled_from([1, 2, 3, 6, 12]),
    st.data(),
)
def test_series_with_starts_and_days_of_their_own_share_months(shapes, each, data):
    series = {
        f"s{index}": months(count, day=day, month=month, each=each) for index, (count, day, month) in enumerate(shapes)
    }
    layout = grid(found(**series))
    assert layout.step.months == each
    assert layout.rows == sum(map(len, series.values()))
    begin = data.draw(st.integers(0, layout.rows - 1))
    end = data.draw(st.integers(begin, layout.rows))
    assert layout.stretch(begin, end)["ds"].to_list() == [*itertools.chain(*series.values())][begin:end]
    assert layout.place(found(**series).frame)["row"].to_list() == list(range(layout.rows))


def test_series_of_different_starts_and_lengths_are_cut_by_their_own_length_and_sorted_by_id():
    layout = grid(found(b=hours(20), a=hours(10, start=START + HOUR / 2)))
    bounds = layout.series.select("id", "begin", "val", "test", "end").rows()
    assert bounds == [("a", 0, 5, 7, 10), ("b", 10, 20, 24, 30)]
    table = layout.stretch(9, 12)
    assert table.drop("ds").rows() == [(9, 0, 2, 0, 10, 7, 10), (10, 1, 0, 10, 30, 10, 20), (11, 1, 0, 10, 30, 10, 20)]
    assert table["ds"].to_list() == [START + 9.5 * HOUR, START, START + HOUR]


def test_a_given_step_is_taken_and_a_wrong_one_refused():
    assert grid(hours(20), step="30m").rows == 39
    assert grid(hours(20), step="1h", season=5).season == 5
    assert refusal(hours(20, HOUR / 2), step="1h") == (
        "b.csv: the times are not evenly spaced\n  found: 2020-01-01 00:30:00\n"
        "  expected: 2020-01-01 00:00:00 and whole multiples of 1 hour after it\n"
        "  fix: if the step is another one, give the key 'forecasting.step'; else correct the times"
    )
    assert "whole multiples of 1 month after it" in refusal(hours(20, 24 * HOUR), step="1mo")


def test_uneven_times_are_refused_with_their_series():
    odd = [*hours(10), START + 10.5 * HOUR]
    assert refusal(found(a=hours(12), b=odd)).startswith("b.csv, series 'b': the times are not evenly spaced")
    last_workdays = [time - timedelta(days=max(0, time.weekday() - 4)) for time in months(20, day=31)]
    assert "  fix: write each month as the same day, such as its first or its last one" in refusal(last_workdays)


def test_series_of_another_step_are_no_series_full_of_gaps():
    other = found(a=hours(40), b=hours(20, 24 * HOUR), c=hours(30)[::2], d=hours(30)[:3] + hours(30)[6:])
    assert refusal(other) == (
        "b.csv: 2 of 4 series have another step than 1 hour\n"
        "  found: b: 1 day; c: 2 hours\n"
        "  expected: one step for all series\n"
        "  fix: write the series of each step into a file of their own, or leave these series out: "
        '`leave_out: ["b", "c"]` below `forecasting:`; if they are full of gaps, give the key \'forecasting.step\''
    )
    assert grid(other, leave_out=["b", "c"]).rows == 70  # the cures work
    assert grid(other, leave_out=["b"], step="1h").rows == 99
    assert "b: 1 quarter" in refusal(found(a=months(40), b=months(20, each=3)))


def test_one_wrong_year_is_no_gap_of_a_century():
    assert refusal([*hours(20), datetime(2120, 1, 1)]) == (
        "b.csv: nearly all times of the series are missing, for a step of 1 hour\n"
        "  found: 21 of 876,577 times from 2020-01-01 00:00:00 to 2120-01-01 00:00:00, "
        "none of them between 2020-01-01 19:00:00 and 2120-01-01 00:00:00\n"
        "  fix: look for a wrong time; or give the key 'forecasting.step', if the step is another one"
    )


def test_too_few_rows_for_the_windows():
    assert refusal(hours(20), horizon=3, split=(0.7, 0.1)) == (
        "b.csv: too few rows for the windows of the val part\n  found: 2 rows of 20 in all\n"
        "  expected: at least 3 (input_size 3, horizon 3)\n"
        "  fix: give more data, or a smaller horizon, input_size or another split"
    )
    assert "windows of the train part" in refusal(hours(100), split=(0.04, 0.3))
    assert refusal(hours(1)) == "b.csv: too few rows for the windows\n  found: 1 rows"


def test_all_series_that_are_too_short_are_named_at_once_and_can_be_left_out():
    series = found(**{"long": hours(30), "short": hours(7), 'sh"or,t': hours(9)})
    assert refusal(series) == (
        "b.csv: 2 of 3 series are too short for their windows\n"
        '  found: sh"or,t: 9 rows, 4 to train; short: 7 rows, 3 to train\n'
        "  expected: at least 5 rows to train, at least 2 rows to validate, at least 2 rows to test "
        "(input_size 3, horizon 2, split [0.5, 0.2])\n"
        "  fix: a smaller horizon or input_size, or another split, or leave these series out: "
        '`leave_out: ["sh\\"or,t", "short"]` below `forecasting:`'
    )
    layout = grid(series, leave_out=['sh"or,t', "short"])
    assert layout.series["id"].to_list() == ["long"]
    assert len(layout.place(series.frame)) == 30
    assert "did you mean 'short'?" in refusal(series, leave_out=["shrot"])
    assert "leave_out leaves no series" in refusal(series, leave_out=["long", "short", 'sh"or,t'])


def test_a_season_longer_than_the_series_is_told_or_refused_where_it_was_asked_for():
    (notice,) = grid(found(a=hours(20, 168 * HOUR), b=hours(200, 168 * HOUR))).notices
    assert notice == (
        "1 of 2 series (a): less than a season (52 weeks) comes before the test part; the last value stands in for the "
        "seasonal naive forecast there, and MASE is not known"
    )
    assert grid(hours(20)).notices[0].startswith("the series: less than a season (24 hours)")
    assert grid(hours(40)).notices == []
    assert "the season is longer than all that comes before the test part" in refusal(hours(20), season=24)


def test_a_target_that_is_nowhere_known_where_it_must_be_is_refused():
    def check(known: dict[str, list[bool]]) -> None:
        seen = found(**{name: hours(len(values)) for name, values in known.items()})
        values = [1.0 if here else None for values in known.values() for here in values]
        placed = grid(seen).place(seen.frame).with_columns(pl.Series("y", values, dtype=pl.Float64))
        refuse_unknown(grid(seen), placed, 2, 3, Path("b.csv"))

    yes, no = [True] * 20, [False] * 20
    check({"a": yes})
    check({"a": [*no[:9], True, *no[:4], True, *no[:3], True, False], "b": yes})
    with pytest.raises(InputError) as error:
        check({"a": [*yes[:14], *no[:6]]})
    assert str(error.value) == (
        "b.csv: the test part has no value of the target\n"
        "  found: nothing that a forecast aims at from 2020-01-01 14:00:00 to 2020-01-01 19:00:00\n"
        "  fix: choose another split"
    )
    with pytest.raises(InputError, match="the train part has no value"):
        check({"a": [*yes[:3], *no[:7], *yes[:10]]})  # known, but only where no forecast aims at
    with pytest.raises(InputError) as error:
        check({"a": yes, "b": [*no[:10], *yes[:10]], "c": yes})
    assert str(error.value) == (
        "b.csv: the train part has no value of the target in 1 of 3 series\n  found: b\n"
        '  fix: choose another split, or leave these series out: `leave_out: ["b"]` below `forecasting:`'
    )
