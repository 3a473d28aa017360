"""Tables of one's own that are refused, each by its cause and with a cure that works."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.applications.hydrology.check import check_basin, refuse_copies
from deeprc.applications.hydrology.config import DataConfig, HydrologyConfig
from deeprc.applications.hydrology.datasets import open_dataset
from deeprc.applications.hydrology.evaluate import metrics
from deeprc.applications.hydrology.prepare import prepare
from deeprc.applications.hydrology.prepared import Prepared
from deeprc.applications.hydrology.samples import groups, make_samples
from deeprc.core.errors import ConfigError, InputError
from deeprc.core.validation import validate
from profiles import examples
from samples.river_tables import COLUMNS, START, checked, config, edited, rows, write


def two_digits(i, value):
    return f"{date.fromisoformat(value):%d.%m.%y}"


KINDS = {
    "years of two digits": (edited(Datum=two_digits), "the years have two digits: their century is not said", ":2"),
    "rain below 0": (edited(**{"Niederschlag [mm]": lambda i, v: "-3" if i == 4 else v}), "rain below 0", ":6"),
    "discharge below 0": (edited(Abfluss=lambda i, v: "-3" if i == 4 else v), "discharge below 0", ":6"),
    "no rain like it": (
        edited(**{"Niederschlag [mm]": lambda i, v: "2600" if i == 4 else v}), "larger than any rain", ":6",
    ),
    "inf": (edited(T=lambda i, v: "inf" if i == 4 else v), "not a finite number", ":6"),
    "1e300": (edited(Abfluss=lambda i, v: "1e300" if i == 4 else v), "no measured value is so large or so small", ":6"),
    "constant": (edited(Abfluss=lambda i, v: "1"), "the discharge never changes: there is nothing to learn", ""),
    "constant in train": (
        edited(Abfluss=lambda i, v: "1" if i < 40 else v),
        "the discharge of 'weser' never changes in the train part: there is nothing to learn", "",
    ),
    "empty input": (edited(T=lambda i, v: ""), "an input without any value", ""),
    "a code above all values": (
        edited(Abfluss=lambda i, v: "9999" if i in (4, 9) else v), "does this number mean a missing value?", ":6",
    ),
    "the answer as an input": (
        rows(), "the input 'tmean' is the discharge: the network would see the answer", "",
    ),
    "no discharge": (edited(Abfluss=lambda i, v: "NA"), "all discharge values are missing", ""),
    "twice": (edited(Datum=lambda i, v: "2001-01-05" if i == 9 else v), "the date 2001-01-05 stands 2 times", ":6"),
    "hourly": (
        edited(Datum=lambda i, v: str(datetime(2001, 1, 1) + timedelta(hours=i))),
        "times within the day, where the pipeline is daily", ":3",
    ),
    "weekly": (edited(Datum=lambda i, v: str(START + timedelta(7 * i))), "the rows are not daily", ""),
    "an offset": (
        edited(Datum=lambda i, v: f"{v}T00:00+01:00"),
        "a day with the offset of a time zone: as UTC it could be another day", ":2",
    ),
    "to come": (
        edited(Datum=lambda i, v: str(date.today() + timedelta(i))), "observed discharge of a day to come", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wrong_is_refused_by_its_cause(tmp_path, kind):
    table, problem, line = KINDS[kind]
    columns = COLUMNS | ({"tmean": "abfluss"} if kind == "the answer as an input" else {})
    with pytest.raises(InputError) as caught:
        checked(tmp_path, table, columns=columns)
    assert caught.value.problem == problem
    assert str(caught.value.where).startswith(f"{tmp_path / 'weser.csv'}{line}")


@pytest.mark.parametrize("form", ["%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%y-%m-%d", "%y%m%d", "%d-%b-%y"])
def test_every_form_of_two_digit_years_is_refused_with_a_cure_that_works(tmp_path, form):
    table = edited(Datum=lambda i, value: date.fromisoformat(value).strftime(form))
    with pytest.raises(InputError, match="the years have two digits") as caught:
        checked(tmp_path, table)
    assert f"such as {form!r}" in caught.value.fix
    assert checked(tmp_path, table, time_format=form)["last"] == "2001-03-01"


def test_numbers_for_days_name_this_applications_key(tmp_path):
    with pytest.raises(InputError, match="not a date") as caught:
        checked(tmp_path, edited(Datum=lambda i, value: str(i)))
    assert caught.value.fix.startswith("name the column of the times by the key 'columns': {date: …}; a count of")


def test_the_century_of_two_digits_is_as_the_cure_says(tmp_path):
    for year, century in (("69", 2069), ("70", 1970)):
        table = edited(Datum=lambda i, value, year=year: two_digits(i, value)[:-2] + year)
        data = open_dataset(config(time_format="%d.%m.%y"), [write(tmp_path / "weser.csv", table)])
        assert data.forcing("weser")["date"][0].year == century


def test_days_with_a_zone_in_parquet_are_those_of_the_zone(tmp_path):
    days = pl.datetime_range(pl.datetime(2001, 3, 1), pl.datetime(2001, 4, 29), "1d", time_zone="Europe/Berlin")
    frame = pl.DataFrame({"Niederschlag [mm]": [1.0, 2.0] * 30, "T": 1.0, "Abfluss": [0.5, 0.7] * 30})
    frame.with_columns(Datum=days).write_parquet(tmp_path / "weser.parquet")
    data = open_dataset(config(), [tmp_path / "weser.parquet"])
    assert check_basin(data, "weser", config())["first"] == "2001-03-01"
    assert data.forcing("weser").height == 60


def test_the_areas_of_the_demo_are_not_those_of_other_tables(tmp_path):
    data = open_dataset(DataConfig(**config().model_dump(exclude={"areas"})), [write(tmp_path / "fulda.csv", rows())])
    assert data.describe("fulda").area is None


def test_missing_weather_is_told_where_no_windows_are_left(tmp_path):
    with pytest.raises(InputError, match="too few days") as caught:
        checked(tmp_path, edited(T=lambda i, value: "" if i % 4 else value))
    assert caught.value.found == "30 days in this part, 60 in all, 45 of them without one of the inputs"


def test_the_cures_work(tmp_path):
    assert checked(tmp_path, KINDS["years of two digits"][0], time_format="%d.%m.%y")["first"] == "2001-01-01"
    assert checked(tmp_path, KINDS["discharge below 0"][0], missing=-3)["missing"]["obs"] == 1
    assert checked(tmp_path, KINDS["no rain like it"][0], missing=[2600])["missing"]["rain"] == 1
    assert checked(tmp_path, KINDS["a code above all values"][0], missing=[9999])["missing"]["obs"] == 2


@pytest.mark.parametrize("area", [86.4e-6, 86.4e4])
def test_an_area_that_does_not_fit_the_rain_is_refused(tmp_path, area):
    with pytest.raises(InputError, match="does not fit its rain: the area or a unit is wrong") as caught:
        checked(tmp_path, rows(), areas={"weser": area}, discharge_unit="l/s" if area > 1 else "m3/s")
    assert "mm a day of rain, over" in caught.value.found


def test_an_area_that_may_be_wrong_is_said(tmp_path):
    assert checked(tmp_path, rows(), areas={"weser": 8.64})["notices"][0].startswith("is the area right? 12 mm a day")


def test_an_input_that_stands_where_it_is_learned_from_is_said(tmp_path):
    """A sensor that came later. One that never changes at all says nothing anywhere, and does no harm."""
    said = "the input 'rain' never changes in the training part, and does after it: what it means there is not learned"
    for after, expected in (("2", [said]), ("1", [])):
        found = checked(tmp_path, edited(**{"Niederschlag [mm]": lambda i, v, a=after: "1" if i < 40 else a}))
        assert [notice for notice in found["notices"] if "never changes" in notice] == expected


def test_inputs_that_are_the_same_are_said(tmp_path):
    both = {"date": "Datum", "discharge": "Abfluss", "t": "T", "u": "T", "rain": "Niederschlag [mm]"}
    notice = "the inputs 't' and 'u' are the same on every day: are they of one column?"
    for options, said in (({"columns": both}, [notice]), ({}, [])):
        found = checked(tmp_path, rows(), **options)
        assert [notice for notice in found["notices"] if "same on every day" in notice] == said


def test_a_flood_far_beyond_the_training_part_is_said(tmp_path):
    found = checked(tmp_path, edited(Abfluss=lambda i, v: "90" if i in (50, 55) else v))
    assert [notice for notice in found["notices"] if "far beyond" in notice] == [
        "2 days of discharge far beyond the training part: 90 mm/day on 2001-02-25, where it has at most 1.4; no "
        "network has learned such floods, and they may rule all figures of the errors"
    ]


@pytest.mark.parametrize("area", ["0", "86400000"])
def test_an_area_of_0_or_in_m2_among_the_attributes_is_refused(tmp_path, area):
    (tmp_path / "about.txt").write_text(f"basin area forest\nweser {area} 1\n")
    with pytest.raises(InputError, match="an area of 0" if area == "0" else "m2 in place of km2"):
        checked(tmp_path, rows(), areas={}, attributes=str(tmp_path / "about.txt"))


def test_a_calendar_without_leap_days_is_said(tmp_path):
    table = [row for row in rows(2000) if row["Datum"][5:] != "02-29"]
    assert checked(tmp_path, table)["notices"] == []  # one leap year may be a gap
    table = [row for row in rows(3000) if row["Datum"][5:] != "02-29"]
    assert checked(tmp_path, table)["notices"][0].startswith("29 February is missing in all 2 leap years")


def test_the_file_of_another_gauge_is_refused(tmp_path):
    table = [{"gauge_id": "eder", **row} for row in rows()]
    write(tmp_path / "eder.csv", table)
    write(tmp_path / "weser.csv", table)
    data = open_dataset(config(areas={}), [tmp_path])
    with pytest.raises(InputError, match="the file of another gauge"):
        data.forcing("weser")
    data.forcing("eder")
    write(tmp_path / "weser.csv", [{"gauge_id": gauge, **row} for row in rows() for gauge in ("1", "2")])
    with pytest.raises(InputError, match="rows of several gauges"):
        data.forcing("weser")


def test_one_file_under_two_names_is_refused(tmp_path):
    for name in ("eder", "weser"):
        write(tmp_path / f"{name}.csv", rows())
    options = config(areas={})
    data = open_dataset(options, [tmp_path])
    with pytest.raises(InputError, match="'eder' and 'weser' have the same file under two names"):
        refuse_copies({basin: check_basin(data, basin, options) for basin in data.basins})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"rain": "P"}}, "dataset csv needs the column of the discharge: key 'columns', discharge"),
        ({"columns": {"discharge": "Q"}}, "dataset csv needs inputs: key 'columns', a name and the column"),
        ({"columns": {"discharge": "Q", "obs": "P"}}, "key 'columns': 'obs' is a name of ours"),
        ({"discharge_unit": None}, "dataset csv needs the key 'discharge_unit'"),
        ({"columns": {"discharge": "Q", "flow": "Q"}}, "key 'columns', flow: the discharge is no input"),
        ({"path": None}, "dataset csv needs the key path: your table"),
        ({"dataset": "camels-gb"}, "key 'columns': it is for dataset csv, not camels-gb"),
        ({"areas": {"weser": 86.4e6}}, "key 'areas.weser': Input should be less than or equal to 8000000"),
    ],
)
def test_a_configuration_that_lacks_something_is_refused(options, message):
    with pytest.raises(ConfigError) as caught:
        validate(HydrologyConfig, {**config().model_dump(), "path": "a.csv", **options}, where="conf")
    assert str(caught.value).removeprefix("conf: ").startswith(message)


odd = st.sampled_from(["", "NA", "-999", "-9999", "0", "-0.001", "-1", "1e9", "1e80", "1e-300", "nan"])
spot = st.tuples(st.integers(0, 59), st.sampled_from(["Niederschlag [mm]", "T", "Abfluss"]), odd)


@settings(max_examples=examples(60))
@given(
    spots=st.lists(spot, max_size=5),
    gone=st.sets(st.integers(0, 59), max_size=10),
    whole=st.sampled_from([None, ("T", "1"), ("T", "-999"), ("Niederschlag [mm]", "0"), ("Abfluss", "1e-200")]),
    scale=st.sampled_from([1.0, 1.0, 1.0, 1e-4, 1e4, 1e12]),
    area=st.sampled_from([None, None, 86.4, 86.4, 1e-5, 8e6]),
)
def test_what_check_accepts_the_later_stages_can_do(tmp_path_factory, spots, gone, whole, scale, area):
    from deeprc.frames import Communicator

    table = rows()
    for row in table:
        row["Abfluss"] = repr(float(row["Abfluss"]) * scale)
        if whole:
            row[whole[0]] = whole[1]
    for row, column, value in spots:
        table[row][column] = value
    options = config(areas={"weser": area} if area else {})
    data = open_dataset(options, [write(tmp_path_factory.mktemp("p") / "weser.csv", table[:1] + [
        row for i, row in enumerate(table) if i and i not in gone])])  # fmt: skip
    try:
        found = check_basin(data, "weser", options)
    except InputError:
        return
    frame, meta = prepare(data, options, Communicator.world())
    prepared = Prepared(pl.from_arrow(frame.to_arrow()), meta)
    samples, _ = make_samples(prepared, groups(prepared)["weser"])
    assert {part: len(samples.of(part)) for part in ("train", "val", "test")} == found["windows"]
    windows = samples.windows(samples.ends)
    assert np.isfinite(windows).all()
    days = samples.frame[samples.ends].select("basin", "date", "split", "obs", "quality")
    judged = metrics(prepared, days.with_columns(sim=pl.col("obs").fill_null(1.0) * 0.9))["weser"]
    assert judged["days"] == found["windows"]["test"]
    assert all(math.isfinite(judged[name]) for name in ("rmse", "bias") if judged[name] is not None)


def test_a_wrong_year_is_named_with_its_line(tmp_path):
    table = rows()
    table[40]["Datum"] = table[40]["Datum"].replace("2001", "1700")
    with pytest.raises(InputError, match=r"weser.csv:42, column 'Datum': a date out of line\n  found: 1700-02-10"):
        open_dataset(config(), [write(tmp_path / "weser.csv", table)]).forcing("weser")
