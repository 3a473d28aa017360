"""Bars as SVG: well-formed, to scale, with spread and target."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from deeprc.bench.chart import LEFT, RIGHT, WIDTH, Bar, bars, written

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_to_scale_and_say_what_they_are():
    picture = ET.fromstring(bars("a < b & c", [Bar("x", 1.0), Bar("y", 2.0, 1.5, 4.0, wanted=3.0, ours=False)], " s"))
    assert picture.find(f"{SVG}title").text == "a < b & c"
    widths = [float(each.get("width")) for each in picture.iter(f"{SVG}rect") if each.get("x")]
    wide = WIDTH - LEFT - RIGHT
    assert widths == [pytest.approx(wide / 4, abs=0.1), pytest.approx(wide / 2, abs=0.1)]
    spread, target = [each.get("d") for each in picture.iter(f"{SVG}path")]
    assert spread.startswith(f"M{LEFT + wide * 1.5 / 4:.1f} ") and f"H{LEFT + wide:.1f}" in spread
    assert target.startswith(f"M{LEFT + wide * 3 / 4:.1f} ")
    words = " ".join(picture.itertext())
    assert "x" in words and "1 s" in words and "wanted: 3 s" in words and "red: what was wanted" in words


def test_nothing_but_zeros_is_a_picture_too():
    ET.fromstring(bars("none", [Bar("x", 0.0)]))


def test_a_figure_below_zero_is_told_and_has_no_bar():
    picture = ET.fromstring(bars("NSE", [Bar("x", 0.8), Bar("y", -0.11)]))
    assert "-0.11" in picture.itertext()
    assert [float(each.get("width")) for each in picture.iter(f"{SVG}rect") if each.get("x")][-1] == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9296, "0.93"), (12.34, "12.3"), (2088.5, "2,089"), (0.625, "0.63"), (3.0, "3"), (99.87, "99.9"), (0.0, "0")],
)
def test_three_digits_are_enough(value, text):
    assert written(value) == text
