"""Ways in turns: their order, what is made of their figures, and what counts as the same."""

from __future__ import annotations

import pytest

from deeprc.bench.ways import compared, figures, in_turns, same


def test_every_second_turn_has_the_other_order():
    said, order = [], []

    def one(way: str, turn: int) -> dict:
        order.append((way, turn))
        return {"failed": "no such thing"} if (way, turn) == ("b", 1) else {"seconds": 2.0}

    took = in_turns(["a", "b", "c"], 3, one, said.append)
    assert order == [(way, turn) for turn, ways in enumerate(("abc", "cba", "abc")) for way in ways]
    assert took["b"] == [{"seconds": 2.0}, {"failed": "no such thing"}, {"seconds": 2.0}]
    assert said[3:5] == ["turn 2, c: 2.0 s", "turn 2, b: no such thing"]


def test_figures_are_of_the_turns_that_did_not_fail():
    turns = [
        {"seconds": 3.0, "bound_s": 1.0, "more": 1, "result": {}},
        {"failed": "why"},
        {"seconds": 5.004, "bound_s": 2.0},
    ]
    assert figures(turns) == {"failures": ["why"], "seconds": {"median": 4.0, "turns": [3.0, 5.0]}, "bound_s": 1.5}
    assert figures([{"failed": "why"}]) == {"failures": ["why"]}


def test_a_pair_of_ways_is_compared_turn_by_turn():
    took = {
        "a": [{"seconds": 2.0}, {"seconds": 1.0}],
        "b": [{"seconds": 3.0}, {"failed": "why"}],
        "c": [{"failed": ""}] * 2,
    }
    assert compared(took) == {"b / a": {"median": 1.5, "low": 1.5, "high": 1.5, "turns": [1.5]}}


@pytest.mark.parametrize(
    ("results", "alike"), [([b"1", b"1"], True), ([b"1", b"2"], False), ([None, b"1"], True), ([None, None], False)]
)
def test_results_are_the_same_or_not(results, alike):
    took = {"a": [{"result": one} if one else {"failed": "why"} for one in results]}
    assert same(took) is alike
