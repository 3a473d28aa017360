"""Nodes that lack what jobs need: told by where workers start, and by the ranks themselves."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from deeprc.pilot import fitness


def of(count: int):
    """What was done, in its order, and what is known."""
    done: list = []
    told = lambda node, why: done.append(f"tell {node}: {why}")  # noqa: E731
    return done, fitness.NodeFitness(
        count, lambda node: done.append(f"close {node}"), lambda node: done.append(f"open {node}"), told
    )


def test_a_node_that_starts_nothing_where_others_do_is_at_fault_after_a_second_try():
    done, known = of(3)
    early = time.monotonic()
    assert not known.failed("a", 1, "no python", early)
    assert not known.failed("a", 1, "no python", early)  # four of them were started there together
    assert done == ["close 1"]
    known.came("a", 0)
    assert done == ["close 1", "open 1"]
    assert not known.failed("a", 1, "no python", early)
    assert not known.failed("b", 1, "no python", early)
    assert done == ["close 1", "open 1", "close 1"] and not known.unfit
    known.came("b", 2)
    assert not known.failed("a", 1, "no python", time.monotonic())
    assert done[3:] == ["open 1", "close 1", "tell 1: starts no worker (no python)"] and known.unfit == {1}
    assert not known.failed("b", 2, "no disk", early) and known.unfit == {1}  # something has started there


def test_it_is_known_sooner_where_others_have_come_before():
    done, known = of(2)
    known.came("a", 0)
    early = time.monotonic()
    assert not known.failed("a", 1, "killed", early) and not known.failed("a", 1, "killed", early)
    assert done == []
    assert not known.failed("a", 1, "no python", time.monotonic())
    assert done == ["close 1", "tell 1: starts no worker (no python)"]
    late = time.monotonic()
    assert not known.failed("b", 0, "no torch", late) and known.failed("b", 0, "no torch", late)  # the only one left


def test_one_failure_by_chance_costs_no_node():
    done, known = of(2)
    known.came("a", 0)
    assert not known.failed("a", 1, "killed", time.monotonic())
    known.came("a", 1)
    assert not known.failed("a", 1, "killed", time.monotonic())
    assert done == [] and not known.unfit


def test_what_starts_nowhere_is_no_nodes_fault():
    done, known = of(5)
    assert not known.failed("a", 3, "no torch", 0.0) and known.failed("a", 4, "no torch", 0.0)
    assert known.failed("a", 0, "no torch", 0.0)  # was started together with them
    assert done == ["close 3", "close 4", "open 3", "open 4"] and not known.unfit


def test_a_node_where_something_has_started_is_tried_again():
    done, known = of(2)
    known.came("a", 0)
    assert not known.failed("b", 0, "hung", 0.0)
    known.came("b", 0)
    assert not known.failed("b", 0, "hung", 0.0) and known.failed("b", 0, "hung", 0.0)
    assert done == []


@pytest.mark.parametrize("several", [False, True])
def test_a_rank_writes_down_what_its_node_lacks(tmp_path, monkeypatch, several):
    (tmp_path / "a b").mkdir()
    monkeypatch.setenv("SCRATCH", str(tmp_path / "a b"))
    line = fitness.check(["/usr/bin/env", "$SCRATCH/cpu.sif"], '"$FOLDER"', several=several)
    script = f"FOLDER='{tmp_path}/a b'; RP_RANK=3; {line}; echo goes on"
    run = lambda: subprocess.run(  # noqa: E731
        ["bash", "-c", script], capture_output=True, text=True, start_new_session=True
    )
    assert run().returncode == (-15 if several else fitness.CODE)
    assert run().stdout.endswith(f" has no {tmp_path}/a b/cpu.sif\n")
    assert fitness.lacking(tmp_path / "a b") == (3, f"{tmp_path}/a b/cpu.sif")
    assert (tmp_path / "a b" / "code.3").read_text() == "78\n"
    (tmp_path / "a b" / "cpu.sif").touch()
    assert run().stdout == "goes on\n"


def test_ranks_begin_as_they_are_told(tmp_path):
    argv = fitness.ranks([sys.executable, "-c", "import sys; print(sys.argv[1:])", "a 'b'", ""], tmp_path, "${R:-0}")
    assert subprocess.run(argv, capture_output=True, text=True).stdout == "[\"a 'b'\", '']\n"
    assert fitness.lacking(tmp_path) is None
    gone = fitness.ranks(["/nowhere/python"], tmp_path, "${R:-0}")
    assert subprocess.run(gone, env={"R": "1"}, start_new_session=True).returncode == -15
    assert fitness.lacking(tmp_path) == (1, "/nowhere/python")
