"""Own data of any form: what is taken for what, and what must be told."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.data import read
from deeprc.core.errors import InputError


def own(tmp_path: Path, text: str, **options):
    path = tmp_path / "own.csv"
    path.write_text(text)
    return read(path, DataConfig(**{"dataset": "csv", "target": "load", **options}))


def refused(tmp_path: Path, text: str, **options) -> str:
    with pytest.raises(InputError) as error:
        own(tmp_path, text, **options)
    return str(error.value).replace(f"{tmp_path}/", "")


def hours(*rows: str, head: str = "date,wind,load", start: int = 0) -> str:
    lines = [f"2020-01-{1 + i // 24:02d} {i % 24:02d}:00,{row}" for i, row in enumerate(rows, start)]
    return "\n".join([head, *lines]) + "\n"


def test_own_data_have_the_title_and_the_unit_that_are_given(tmp_path):
    text = hours("1,5", "2,6")
    found = own(tmp_path, text, dataset="ett")
    assert (found.title, found.unit, found.covariates) == ("own", "", ["x:wind"])
    found = own(tmp_path, text, title="The load", unit="kW", season=7)
    assert (found.title, found.unit, found.season) == ("The load", "kW", 7)


def test_no_name_of_a_column_meets_one_of_ours(tmp_path):
    names = ["y", "ds", "observed", "usable", "row", "part", "month", "id", "time", "x:y", "series", "part_begin"]
    text = ",".join(["date", *names, "load"]) + "\n"
    text += "".join(f"2020-01-01 0{i}:00,{','.join(str(i * j) for j in range(2, 15))}\n" for i in range(3))
    found = own(tmp_path, text, time="date")
    assert found.frame.columns == ["id", "time", "y", "line", *(f"x:{name}" for name in names)]
    assert found.frame["y"].to_list() == [0, 14, 28]


@pytest.mark.parametrize(
    ("head", "row", "time"),
    [
        ("date,load", "2020-01-01,{}", None),
        ("Timestamp,load", "2020-01-01T00:00Z,{}", None),
        ("date,time,load", "2020-01-01,00:00,{}", None),
        ("year,month,day,load", "2020,1,1,{}", None),
        ("year,month,load", "2020,1,{}", None),
        ("<DATE>,<TIME>,load", "2020.01.01,00:00,{}", None),
        ("Date (UTC),load", "Wed 2020-01-01,{}", None),
        ("date,hour,load", "2020-01-01,0,{}", "the times are those of the columns date, hour"),
        (
            ",load",
            "2020-01-01 00:00:00,{}",
            "the times are those of the column 'column 1'",
        ),  # as pandas writes it
        ("when,load", "01.01.2020,{}", "the times are those of the column 'when'"),
    ],
)
def test_the_column_of_the_times_is_found(tmp_path, head, row, time):
    found = own(tmp_path, f"{head}\n{row.format(5)}\n{row.format(5)}\n")
    assert found.frame.rows() == [("load", datetime(2020, 1, 1), 5.0, 2)]
    assert found.notices == [*filter(None, [time]), "rows that repeat another in every field, left out: 3"]


def test_what_is_no_covariate_is_left_out_and_told(tmp_path):
    text = ",date,No,wind,site,empty,on,again,load\n"
    text += "".join(f"{i},2020-01-01 0{i}:00,{i + 5},{i % 2},A,NA,true,2021-01-0{i + 1},{i}\n" for i in range(4))
    found = own(tmp_path, text)
    assert found.covariates == ["x:wind", "x:on"]
    assert found.notices == [
        "columns left out, without a name: column 1",
        "columns left out, without any value: empty",
        "columns left out, of words or times: site, again",
        "columns left out, that only count the rows (key 'covariates' takes them all the same): No",
    ]
    assert own(tmp_path, text, covariates=["No"]).covariates == ["x:No"]
    assert own(tmp_path, text, covariates=[]).covariates == []
    assert refused(tmp_path, text, covariates=["empty"]) == (
        "own.csv, column 'empty': this covariate has no value at all\n  fix: leave it out of the key 'covariates'"
    )
    assert refused(tmp_path, text, covariates=["load"]).startswith("own.csv: the column 'load' has two roles")


def test_time_and_target_that_are_not_certain(tmp_path):
    error = refused(tmp_path, "date,load\n0,1\n1,2\n")
    assert error.splitlines()[-1].startswith(
        "  fix: name the column of the times by the key 'time'; a count of seconds"
    )
    error = refused(tmp_path, "a,b,load\n2020-01-01,2020-01-02,1\n")
    assert error.startswith("own.csv: which column holds the times cannot be told\n  found: a, b")
    error = refused(tmp_path, hours("1,5"), target=None)
    assert error.startswith("own.csv: which column is to be forecast cannot be told\n  found: wind, load")
    assert own(tmp_path, "date,kW\n2020-01-01,1\n", target=None).target == "kW"
    assert own(tmp_path, "date,kW,y\n2020-01-01,1,2\n", target=None).target == "y"


def test_several_series(tmp_path):
    text = hours("A,1", "A,2", head="date,unique_id,load") + hours("NA,3", "NA,4").split("\n", 1)[1]
    found = own(tmp_path, text)
    assert found.series == ["A", "NA"]
    assert found.frame.select("id", "y").rows() == [("A", 1), ("A", 2), ("NA", 3), ("NA", 4)]
    error = refused(tmp_path, text.replace("unique_id", "site"))
    assert error == (
        "own.csv: 2 times stand more than once, with different values\n  found: 2020-01-01 00:00:00 on the lines 2, 4\n"
        "  expected: one row per time\n"
        "  fix: where the rows are of several series, name their column by the key 'series'; else correct the times"
    )
    assert own(tmp_path, text.replace("unique_id", "site"), series="site").series == ["A", "NA"]
    error = refused(tmp_path, text.replace("NA,3", ",3"))
    assert error.startswith("own.csv:4, column 'unique_id': this row belongs to no series")


def test_a_column_that_tells_series_apart_is_named(tmp_path):
    text = hours(*(f"A,{i}" for i in range(6)), head="date,site,load")
    text += hours(*(f"B,{i}.5" for i in range(6))).split("\n", 1)[1]
    error = refused(tmp_path, text)
    assert error.splitlines()[0].endswith("several series in one file?")
    assert error.splitlines()[-1] == "  fix: name the column that tells them apart: 'series': 'site'"


def test_the_column_that_tells_series_apart_is_named_beside_one_of_lists(tmp_path):
    day = [datetime(2020, 1, 1 + i % 6) for i in range(12)]
    rows = {"date": day, "pair": [[1, 2]] * 12, "site": ["A"] * 6 + ["B"] * 6, "load": [*range(12)]}
    pl.DataFrame(rows).write_parquet(tmp_path / "own.csv")
    with pytest.raises(InputError) as error:
        read(tmp_path / "own.csv", DataConfig(dataset="csv", target="load"))
    assert error.value.fix == "name the column that tells them apart: 'series': 'site'"


def test_an_hour_in_a_column_of_its_own_is_no_name_of_a_series(tmp_path):
    # As grid operators have it: the hours 1 to 24 of each day in a column HE (hour ending).
    days = [f"2020-01-{1 + i // 24:02d},{i % 24 + 1},{i}.5" for i in range(72)]
    text = "\n".join(["date,HE,load", *days]) + "\n"
    assert refused(tmp_path, text).splitlines()[-1] == (
        "  fix: if 'HE' is the hour of the day, name both columns: 'time': [\"date\", \"HE\"]; "
        "if it tells series apart: 'series': 'HE'"
    )
    times = own(tmp_path, text, time=["date", "HE"]).frame["time"]
    assert (str(times[0]), str(times[23])) == ("2020-01-01 01:00:00", "2020-01-02 00:00:00")


def test_series_that_differ_in_blanks_alone_are_not_told_apart_by_their_own_column(tmp_path):
    text = hours(*(f"A,{i}" for i in range(6)), head="date,site,load")
    text += hours(*(f"A ,{i}.5" for i in range(6))).split("\n", 1)[1]
    assert refused(tmp_path, text, series="site").splitlines()[-1].startswith("  fix: where the rows are of several")


def test_the_hour_that_stands_twice_in_autumn(tmp_path):
    text = "date,load\n" + "".join(f"2020-10-25 0{hour}:00,{i}\n" for i, hour in enumerate((1, 2, 2, 3)))
    error = refused(tmp_path, text)
    assert "an hour of autumn, in which clocks go back" in error
    assert "key 'time_zone'" in error
    times = own(tmp_path, text, time_zone="Europe/Berlin").frame["time"]
    assert [time.hour for time in times] == [23, 0, 1, 2]


def test_numbers_that_mean_a_missing_value(tmp_path):
    text = hours("1,-9999", "2,5.5", "3,-9999.0", "4,7.5")
    found = own(tmp_path, text)
    assert found.frame["y"].to_list() == [None, 5.5, None, 7.5]
    assert found.notices[-1] == (
        "read as missing in 'load': -9999 (2 times; all other values lie from 5.5 to 7.5); "
        "were it a value, give the key 'missing': []"
    )
    assert own(tmp_path, text, missing=[]).frame["y"].to_list() == [-9999, 5.5, -9999, 7.5]
    found = own(tmp_path, text, missing=-9999)
    assert (found.frame["y"].null_count(), found.notices[1:]) == (2, [])
    error = refused(tmp_path, text.replace("-", "").replace("20200101", "2020-01-01"))
    assert error.startswith("own.csv:2, column 'load': does this number mean a missing value?\n  found: 9999 (2 times")
    assert error.splitlines()[-1].startswith("  fix: say so by the key 'missing': [\"9999\"]")
    odd = [f"1,{value}" for value in [-7777] * 5 + [1, 2, 3, 4, 5]]
    assert own(tmp_path, hours(*odd)).notices[-1] == (
        "far away in 'load': -7777 (5 times; all other values lie from 1 to 5); "
        "is it missing? then 'missing': [\"-7777\"]"
    )
    # Far from it: values that are merely low, or one of many.
    for value in ("-999", "-99"):
        assert own(tmp_path, hours(f"1,{value}", "1,-700", "2,0", "3,500")).frame["y"].to_list()[0] == float(value)


def test_a_separator_by_its_name(tmp_path):
    for name in ("\t", "\\t", "tab"):
        assert own(tmp_path, hours("1,2").replace(",", "\t"), separator=name).frame["y"].to_list() == [2]


@pytest.mark.parametrize("back", [1, -1])
@pytest.mark.parametrize("year", [1700, 2014, 2061])
def test_a_date_out_of_line_is_named_with_its_line(tmp_path, year, back):
    times = [datetime(2016, 2, day, hour) for day in (1, 2, 3) for hour in range(24)][::back]
    times[40] = times[40].replace(year=year)
    text = "date,load\n" + "".join(f"{time},{i}\n" for i, time in enumerate(times))
    with pytest.raises(InputError) as error:
        own(tmp_path, text)
    assert str(error.value).replace(str(tmp_path), "") == (
        f"/own.csv:42, column 'date': a date out of line\n  found: {times[40]}\n"
        f"  expected: a time between those of the rows around it, {times[39]} and {times[41]}\n"
        "  fix: correct the date"
    )


def test_rows_that_come_late_and_a_begin_long_before_are_no_dates_out_of_line(tmp_path):
    times = [datetime(2016, 2, day, hour) for day in (1, 2, 3) for hour in range(24)]
    late = [*times[:50], times[-1], *times[50:-1]]
    for rows in (late, [datetime(2014, 1, 1), *late], sorted(times, key=lambda time: time.hour)):
        text = "date,load\n" + "".join(f"{time},{i}\n" for i, time in enumerate(rows))
        assert own(tmp_path, text).frame["time"].to_list() == rows


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("date,time,load", "{0:%Y-%m-%d},{0:%H%M}"),
        ("Datum,Zeit,load", "{0:%d.%m.%Y},{1}"),
        ("date,hour,load", "{0:%Y-%m-%d},{1}"),
        ("date,HHMM,load", "{0:%Y%m%d},{0:%H%M}"),
        ("year,month,day,hour,load", "{0:%Y,%m,%d},{1}"),
    ],
)
def test_hours_and_minutes_in_one_number(tmp_path, head, row):
    times = [datetime(2016, 2, day, hour, minute) for day in (13, 14) for hour in range(24) for minute in (0, 30)]
    lines = [f"{row.format(time, time.hour * 100 + time.minute)},{i}" for i, time in enumerate(times)]
    assert own(tmp_path, "\n".join([head, *lines]) + "\n").frame["time"].to_list() == times
