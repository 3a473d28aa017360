"""Times in every form that is certain, and the exact refusal of those that are not."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.base.tabular import Table

NOON = datetime(2020, 12, 31, 12)


@pytest.mark.parametrize(
    "field",
    [
        *["2020-12-31 12:00:00", "2020-12-31 12:00", "2020-12-31T12:00", "2020-12-31T12:00:00Z", "2020-12-31 12"],
        *["2020-12-31T12:00:00.000000", "2020-12-31T12:00:00+02:00", "2020-12-31 12:00-0500", "2020-12-31 12:00+02"],
        *["2020/12/31 12:00", "31.12.2020 12:00", "31.12.2020T12:00:00", "12/31/2020 12:00 PM", "31/12/2020 12:00"],
        *["20201231T120000Z", "202012311200", "2020123112", "31-Dec-2020 12:00", "31 December 2020 12:00:00"],
        *["1609416000", "1609416000.0", "1609416000000", "1609416000000000", "1609416000000000000"],
        *["2020-12-31 12:00 UTC", '"Dec 31, 2020 12:00"'],
    ],
)
def test_forms(table, field):
    assert table(f"t;v\n{field};1\n").times("t").to_list() == [NOON]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["2020-12-31", "2021-1-1"], [datetime(2020, 12, 31), datetime(2021, 1, 1)]),
        (["2020-12", "2021-01"], [datetime(2020, 12, 1), datetime(2021, 1, 1)]),
        (["2020Q4", "2021Q1"], [datetime(2020, 10, 1), datetime(2021, 1, 1)]),
        (["2020", "2021"], [datetime(2020, 1, 1), datetime(2021, 1, 1)]),
        (["Dec 2020", "Jan 2021"], [datetime(2020, 12, 1), datetime(2021, 1, 1)]),
        (["2020-W53", "2021-W01"], [datetime(2020, 12, 28), datetime(2021, 1, 4)]),
        (["20201231", "20210101"], [datetime(2020, 12, 31), datetime(2021, 1, 1)]),
        (["31.12.2020 24:00", "01.01.2021 01:00"], [datetime(2021, 1, 1), datetime(2021, 1, 1, 1)]),
        (["2020-12-31", "2020-12-31 01:00:00"], [datetime(2020, 12, 31), datetime(2020, 12, 31, 1)]),  # R's midnight
        (["1/2/2020 12:00 AM", "1/13/2020 1:30 PM"], [datetime(2020, 1, 2), datetime(2020, 1, 13, 13, 30)]),
        (["1/2/2020", "13/2/2020"], [datetime(2020, 2, 1), datetime(2020, 2, 13)]),
        (["01.02.2020", "02.02.2020"], [datetime(2020, 2, 1), datetime(2020, 2, 2)]),  # with points the day is first
    ],
)
def test_columns(table, fields, expected):
    assert table("t;v\n" + "".join(f"{field};1\n" for field in fields)).times("t").to_list() == expected


@pytest.mark.parametrize(
    ("fields", "place", "said", "fix"),
    [
        (["1/2/2020", "2/2/2020"], ":2", "day and month cannot be told apart", "key 'time_format'"),
        (["13/2/2020", "2/14/2020"], ":3", "day and month stand in different order", "2020-12-31 can be misread"),
        (["2020-01-01", "2020-02-30"], ":3", "not a date", "correct the date"),
        (["2020-01-01 25:00", "2020-01-01"], ":2", "not a date", "correct the date"),
        (["2020-01-01", "yesterday"], ":3", "not a date", "correct the date"),
        (["2020-01-01", "NA"], ":3", "not a date", "correct the date"),
        (["2020-01-01", ""], ":3", "a time is missing", "write the time of this row"),
        (["", "2020-01-01"], ":2", "a time is missing", "if line 2 is one of units, put # before it"),
        (["2020-01-01 00:00Z", "2020-01-01 01:00"], ":3", "some times have an offset", "write it in every row"),
        (["43831", "43832"], ":2", "not a date", "as Excel keeps dates (2020-01-01)? then give the key 'time_format'"),
        (["0", "1"], ":2", "not a date", "a count of seconds: 'time_format': s"),
        (["[UTC]", "2020-01-01"], ":2", "not a date", "if line 2 is one of units, put # before it"),
        (["2020-01-01 00:00 CET", "2020-01-01 01:00 CET"], ":2", "not a date", "write the zone as an offset from UTC"),
        (["٢٠٢٠-01-01", "2020-01-01"], ":2", "not a date", "correct the date"),
        (["31.12.20", "01.01.21"], ":2", "not a date", "key 'time_format', such as '%d.%m.%y"),
    ],
)
def test_refusals(refusal, fields, place, said, fix):
    text = "t;v\n" + "".join(f"{field};1\n" for field in fields)
    error = refusal(text, lambda table: table.times("t"))
    assert error.startswith(f"a.csv{place}, column 't': {said}")
    assert fix in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        *[("%d/%m/%Y %H:%M", "31/12/2020 12:00"), ("%d.%m.%y %H:%M", "31.12.20 12:00"), ("excel", "44196.5")],
        *[("s", "1609416000"), ("ms", "1609416000000"), ("%Y-%m-%dT%H:%M:%S%z", "2020-12-31T13:00:00+0100")],
    ],
)
def test_a_given_form(table, form, field):
    assert table(f"t;v\n{field};1\n").times("t", form).to_list() == [NOON]


def test_counts_with_decimals(table):
    half = datetime(2020, 12, 31, 12, 0, 0, 500_000)
    assert table("t;v\n1609416000.5;1\n").times("t", "s").to_list() == [half]
    assert table("t;v\n44196,5;1\n").times("t", "excel").to_list() == [NOON]


def test_a_year_of_two_digits_is_not_the_year_20(refusal):
    error = refusal("t;v\n31.12.20;1\n", lambda table: table.times("t", "%d.%m.%Y"))
    assert error.startswith("a.csv:2, column 't': not a date\n  found: '31.12.20'")


def test_a_given_form_that_a_row_does_not_have(refusal):
    error = refusal("t;v\n31/12/2020;1\n2020-12-31;1\n", lambda table: table.times("t", "%d/%m/%Y"))
    assert error.startswith("a.csv:3, column 't': not a date\n  found: '2020-12-31'")


def test_several_columns_make_a_time(table):
    parts = table("year;month;day;hour;v\n2020;12;31;12;1\n")
    assert parts.times(["year", "month", "day", "hour"]).to_list() == [NOON]
    for date, clock in (("31.12.2020", "12:00"), ("31.12.2020", "12"), ("20201231", "12:00:00"), ("12/31/2020", "12")):
        assert table(f"d;c;v\n{date};{clock};1\n").times(["d", "c"]).to_list() == [NOON]
    assert table("y;m;v\n2020;7;1\n").times(["y", "m"]).to_list() == [datetime(2020, 7, 1)]


def test_the_form_of_several_columns_is_that_of_all_with_blanks_between(table):
    assert table("y;m;d;v\n20;12;31;1\n").times(["y", "m", "d"], "%y %m %d").to_list() == [datetime(2020, 12, 31)]
    assert table("d;h;v\n31/12/2020;12:00;1\n").times(["d", "h"], "%d/%m/%Y %H:%M").to_list() == [NOON]


def test_the_hour_of_autumn_stands_twice(table):
    text = "t;v\n" + "".join(f"2020-10-25 0{hour}:00;1\n" for hour in (1, 2, 2, 3))
    hours = [datetime(2020, 10, 24, 23), *(datetime(2020, 10, 25, hour) for hour in (0, 1, 2))]
    assert table(text).times("t", zone="Europe/Berlin").to_list() == hours
    upside_down = "t;v\n" + "".join(f"2020-10-25 0{hour}:00;1\n" for hour in (3, 2, 2, 1))
    assert table(upside_down).times("t", zone="Europe/Berlin").to_list() == hours[::-1]


def test_offsets(table):
    """Times are read as they stand where their offset is always the same, or days are counted; else as UTC."""

    def times(*fields: str) -> list[datetime]:
        return table("t;v\n" + "".join(f"{field};1\n" for field in fields)).times("t").to_list()

    hours = times("2020-10-25T02:00+02:00", "2020-10-25T02:00+01:00", "2020-10-25 03:00+0100")
    assert hours == [datetime(2020, 10, 25, hour) for hour in (0, 1, 2)]
    assert times("2020-01-01T02:00-05:00", "2020-01-01T03:00-05:00")[1] == datetime(2020, 1, 1, 3)
    days = times("2020-03-28T00:00+01:00", "2020-03-29T00:00+01:00", "2020-03-30T00:00+02:00")
    assert days == [datetime(2020, 3, day) for day in (28, 29, 30)]


def test_days_of_a_place_stay_days(table):
    text = "t;v\n2020-03-28;1\n2020-03-30;2\n"
    assert table(text).times("t", zone="Europe/Berlin").to_list() == [datetime(2020, 3, 28), datetime(2020, 3, 30)]


def test_a_zone_that_is_none(refusal):
    error = refusal("t;v\n2020-03-29 02:30;1\n", lambda table: table.times("t", zone="Europe/Berlinn"))
    assert error.startswith("key 'time_zone': unknown time zone 'Europe/Berlinn'")
    assert error.endswith("did you mean 'Europe/Berlin'?")


def test_an_hour_that_clocks_leap_over(refusal):
    error = refusal("t;v\n2020-03-29 02:30;1\n", lambda table: table.times("t", zone="Europe/Berlin"))
    assert error.startswith("a.csv:2, column 't': the clocks of Europe/Berlin leap over this time")


@given(
    st.lists(st.datetimes(datetime(1600, 1, 1), datetime(2500, 1, 1)), min_size=1),
    st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f", "%Y/%m/%d %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S.%f"]),
)
def test_any_time_is_read_as_it_was_written(times, form):
    from pathlib import Path

    import polars as pl

    column = pl.Series([time.strftime(form) for time in times])
    assert Table(Path("a.csv"), ["t"], [column], None).times("t").to_list() == times
