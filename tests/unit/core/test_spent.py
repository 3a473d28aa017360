"""What a job says of its own time."""

from __future__ import annotations

import time

import pytest

from deeprc.core import spent


def test_what_is_told_is_read(tmp_path, monkeypatch):
    file = tmp_path / "spent"
    monkeypatch.setenv(spent.SPENT, str(file))
    monkeypatch.delenv("RP_RANK", raising=False)
    start = time.time() - 2
    spent.begun()
    spent.checkpoint(0.25)
    spent.checkpoint(0.5)
    found = spent.read(file, start, start + 10)
    assert found == {"import": pytest.approx(2, abs=0.5), "checkpoint": 0.75}


def test_other_ranks_say_nothing_and_without_the_variable_nobody_does(tmp_path, monkeypatch):
    monkeypatch.setenv(spent.SPENT, str(tmp_path / "spent"))
    monkeypatch.setenv("RP_RANK", "1")
    spent.begun()
    monkeypatch.delenv(spent.SPENT)
    monkeypatch.setenv("RP_RANK", "0")
    spent.begun()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("begun 103\ncheckpoint 2\n", {"import": 3.0, "checkpoint": 2.0}),
        ("begun 103\nbegun 106\n", {"import": 3.0}),  # a benchmark's first repeat
        ("begun 90\n", {}),  # of a clock that is behind
        ("begun 300\ncheckpoint 5\n", {"import": 10.0}),
        ("checkpoint 300\n", {"checkpoint": 10.0}),
        ("begun\nnonsense 3\ncheckpoint two\ncheckpoint 1\n", {"checkpoint": 1.0}),
    ],
)
def test_no_more_is_taken_than_it_ran_and_what_is_no_line_is_left_out(tmp_path, text, expected):
    (tmp_path / "spent").write_text(text)
    assert spent.read(tmp_path / "spent", 100, 110) == expected
    assert spent.read(tmp_path / "absent", 100, 110) == {}
