"""Who takes part, in which turns, and what ratios say."""

from __future__ import annotations

from typing import Any

import pytest

from deeprc.bench.contest import Entrant, entrant, medians, ratios, turns
from deeprc.core.errors import ConfigError

ENGINES, KEYS = ("arrow", "polars"), ("int", "text")


@pytest.mark.parametrize(
    ("text", "who", "name"),
    [
        ("polars", Entrant("polars", 2), "polars:2"),
        ("arrow:1", Entrant("arrow", 1), "arrow:1"),
        ("arrow::text", Entrant("arrow", 2, "text"), "arrow:2:text"),
    ],
)
def test_an_entrant_is_read(text: str, who: Entrant, name: str) -> None:
    assert entrant(text, 2, ENGINES, KEYS) == who
    assert who.name == name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("polers", "did you mean 'polars'"),
        ("arrow:two", "no such entrant"),
        ("arrow:0", "no such entrant"),
        ("arrow:1:int:2", "no such entrant"),
        ("arrow:1:texts", "did you mean 'text'"),
    ],
)
def test_what_is_no_entrant_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        entrant(text, 2, ENGINES, KEYS)


def test_the_first_turn_does_not_count_and_who_begins_changes() -> None:
    order: list[str] = []

    class Noted:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, task: Any) -> dict:
            order.append(self.name + task)
            return {"seconds": len(order)}

    done = turns([Noted("a"), Noted("b")], ["1"], 2)
    assert order == ["b1", "a1", "a1", "b1", "b1", "a1"]
    assert done == {"1": [[{"seconds": 3}, {"seconds": 4}], [{"seconds": 6}, {"seconds": 5}]]}


def test_ratios_are_of_neighbours() -> None:
    rounds = [[{"seconds": a}, {"seconds": b}] for a, b in ((1, 2), (10, 5), (3, 3))]  # a busy minute in the middle
    assert ratios(rounds) == {"median": 1.0, "low": 0.5, "high": 2.0, "turns": [0.5, 2.0, 1.0]}
    assert ratios([*rounds, *rounds])["low"] == 0.5


def test_peak_memory_is_no_median() -> None:
    took = [{"seconds": s, "cpu_seconds": s, "peak_mb": p} for s, p in ((1, 5), (3, 9), (2, 1))]
    assert medians(took) == {"seconds": 2, "cpu_seconds": 2, "peak_mb": 9}
