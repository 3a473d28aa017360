"""The map of the basins: where coordinates come from, where marks stand, what each says without its colour."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.applications.hydrology import report
from deeprc.applications.hydrology.check import check_basin
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets.attributes import read_places
from deeprc.applications.hydrology.datasets.camels_us import CamelsUS
from deeprc.applications.hydrology.report import HydrologyResults
from deeprc.applications.hydrology.report.river_map import CLASSES, UNKNOWN, degrees, extent, river_map, ticks


def rivers(**places: tuple) -> dict[str, dict]:
    """By key: latitude, longitude, NSE."""
    return {key: {"name": f"The {key}", "place": place[:2] if place[0] is not None else None, "nse": place[2]}
            for key, place in places.items()}  # fmt: skip


FOUR = rivers(a=(44.0, -68.0, 0.8), b=(40.0, -78.0, 0.6), c=(36.0, -78.0, -0.2), d=(None, None, 0.5))


def test_marks_stand_where_the_gauges_are():
    found = river_map(FOUR)
    assert found.unplaced == 1
    short = math.cos(math.radians(40))
    assert found.aspect == pytest.approx(10 * short / 8)
    edge = 100 * 0.12 / 1.24
    assert [(point.name, round(point.x, 6), round(point.y, 6)) for point in found.points] == [
        ("The a", round(100 - edge, 6), round(edge, 6)), ("The b", round(edge, 6), 50.0),
        ("The c", round(edge, 6), round(100 - edge, 6)),
    ]  # fmt: skip
    assert [told for _, told in found.across] == ["75° W", "70° W"]
    assert [told for _, told in found.up] == ["36° N", "38° N", "40° N", "42° N", "44° N"]
    assert found.in_words == (
        "Map of 3 rivers by latitude and longitude, marked by NSE: The a (44.00° N, 68.00° W) 0.80; "
        "The b (40.00° N, 78.00° W) 0.60; The c (36.00° N, 78.00° W) −0.20."
    )


def test_each_class_has_a_colour_a_mark_and_words_of_its_own():
    marks = [(CLASSES[n][1], CLASSES[n][2]) for n in range(4)] + [UNKNOWN[:2]]
    values = (0.75, 0.5, 0.0, -0.01, None)
    found = river_map(rivers(**{f"r{n}": (40.0 + n, 5.0, nse) for n, nse in enumerate(values)}))
    assert [(point.colour, point.mark) for point in found.points] == marks
    assert len({colour for colour, _ in marks}) == len({mark for _, mark in marks}) == 5
    assert [told for *_, told in found.classes] == [
        "NSE from 0.75 on", "0.5 to 0.75", "0 to 0.5", "below 0: worse than the mean", "not known",
    ]  # fmt: skip
    assert [point.nse for point in found.points] == ["0.75", "0.50", "0.00", "−0.01", "–"]


def test_figures_beside_marks_do_not_overlap_and_stay_within():
    found = river_map(rivers(a=(40.0, 5.0, 0.1), b=(40.0, 5.0, 0.2), c=(44.0, 10.0, 0.3)))
    assert [(point.written, point.left) for point in found.points] == [(True, False), (False, False), (True, True)]


def test_without_coordinates_there_is_none():
    assert river_map(rivers(a=(None, None, 0.5))) is None
    assert river_map({}) is None


places = st.tuples(st.floats(-89, 89), st.floats(-180, 180))


@given(st.lists(places, min_size=1, max_size=9))
def test_all_marks_are_on_the_map_and_it_is_neither_a_line_nor_a_strip(given_places):
    low, high, aspect = extent(given_places)
    assert 0.89 < aspect < 2.21
    for latitude, longitude in given_places:
        assert low[0] <= latitude <= high[0] and low[1] <= longitude <= high[1]
    short = max(math.cos(math.radians((low[0] + high[0]) / 2)), 0.1)
    assert (high[1] - low[1]) * short / (high[0] - low[0]) == pytest.approx(aspect)
    for side in (0, 1):
        found = ticks(low[side], high[side])
        assert 1 <= len(found) <= 10 and all(low[side] - 1e-9 <= at <= high[side] + 1e-9 for at in found)


@pytest.mark.parametrize(
    ("value", "signs", "told"),
    [(44.5, "NS", "44.5° N"), (-0.25, "NS", "0.25° S"), (-68, "EW", "68° W"), (0.0, "EW", "0°"), (30.0, "EW", "30° E")],
)
def test_degrees_are_told_with_their_side(value, signs, told):
    assert degrees(value, signs) == told


def test_camels_us_says_where_its_gauges_are(camels_folder, shared_data):
    config = DataConfig(dataset="camels-us", window=5)
    data = CamelsUS(config, [camels_folder()])
    assert {data.describe(basin).place for basin in data.basins} == {None}  # no attributes
    real = CamelsUS(config, [shared_data / "camels_us"])
    assert real.describe("01022500").place == (44.60797, -67.93524)
    assert check_basin(real, "01022500", config)["place"] == {"latitude": 44.60797, "longitude": -67.93524}


def test_no_latitude_is_beyond_a_pole():
    found = river_map(rivers(a=(-85.0, 0.0, 0.1), b=(85.0, 170.0, 0.2)))
    assert [told for _, told in found.up] == ["90° S", "45° S", "0°", "45° N", "90° N"]
    assert [told for _, told in found.across] == ["0°", "45° E", "90° E", "135° E", "180° E"]


def test_places_are_read_where_both_columns_hold_degrees(tmp_path):
    table = tmp_path / "topo.txt"
    table.write_text("gauge_id;gauge_lat;gauge_lon\na;44.6;-67.9\nb;5213000;7\nc;n.d.;8\nd;-3;181\n")
    other = tmp_path / "other.txt"
    other.write_text("gauge_id;gauge_lat\na;1\n")
    found = read_places([other, table], ["a", "b", "c", "d"])
    assert found == {"a": (44.6, -67.9)}
    assert read_places([other], ["a"]) == {}
    table.write_text("Basin,Latitude,LON\na,44.6,-67.9\n")
    assert read_places([table], ["a"], key=None) == {"a": (44.6, -67.9)}


METRICS = {"basins": {key: {"nse": 0.5, "kge": 0.5, "rmse": 1.0, "bias": 0.0, "days": 9} for key in ("a", "b")}}


def test_the_check_tells_the_report(tmp_path):
    check = {"basins": {"a": {"place": {"latitude": 44.6, "longitude": -67.9}}, "b": {"place": None}}}
    values = report.section(HydrologyResults(METRICS, check, None), []).values
    assert [(point.name, point.place) for point in values["map"].points] == [("a", "44.60° N, 67.90° W")]
    assert values["map"].unplaced == 1
    assert values["check"]["a"] == [("place", "latitude 44.6, longitude −67.9")]
    assert report.section(HydrologyResults(METRICS, {}, None), []).values["map"] is None
