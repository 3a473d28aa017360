"""Numbers and times as text."""

from __future__ import annotations

import pytest

from deeprc.reporting import words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.98712, "0.987"),
        (40.0, "40.0"),
        (123.4, "123"),
        (99.96, "100."),
        (12345.6, "12,346"),
        (-3.0, "−3.00"),
    ],
)
def test_number(value, text):
    assert words.number(value) == text.rstrip(".")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (312, "5 min 12 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_duration(seconds, text):
    assert words.duration(seconds) == text


def test_the_rest():
    assert words.fixed(-0.304) == "−0.30"
    assert words.percent(0.334) == "33 %"
    assert words.moment(0) == "1 Jan 1970, 00:00 UTC"
    assert [words.count(n, "core") for n in (1, 2, 1000)] == ["1 core", "2 cores", "1,000 cores"]
    assert [words.listing(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
