"""Workers and gangs that never come: their jobs end by name, where they waited for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from deeprc.pilot import Pilot, gangs, workers
from deeprc.pilot.engine import TaskNews
from deeprc.pilot.tasks import Outcome, Task
from here import Here, shell

Run = Callable[..., list[Outcome]]


def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def pilot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes the near side of a pilot whose engine is given: the workers, the gangs, what was ended, what was told."""
    monkeypatch.setattr(workers, "KEPT", 0.1)
    monkeypatch.setattr(gangs, "KEPT", 0.1)
    made = []

    def make(launch: Callable[[list[Task]], None], write: Callable[[Task], Task], nodes: int = 1):
        told: list[Outcome] = []
        ended: list[str] = []
        there = workers.Workers(
            [(4, 0, 1000)] * nodes, tmp_path, report=told.append, began=lambda uid: None, cancel=ended.extend,
            launch=lambda tasks: launch([task for task, _ in tasks]),
        )  # fmt: skip
        worlds = gangs.Gangs(
            there, grace=1.0, make=lambda task, name, address, keyfile: write(replace(task, uid=name)),
            most=lambda task: 1, launch=lambda task: launch([task]), cancel=ended.extend, report=told.append,
            began=lambda uid: None, say=lambda line: None,
        )  # fmt: skip
        made.extend([worlds, there])
        return there, worlds, ended, told

    yield make
    for each in made:
        each.close()


def test_one_whose_imports_hang_is_ended_and_the_second_time_its_jobs_fail(pilot, monkeypatch):
    monkeypatch.setattr("deeprc.pilot.started.COMES", 0.2)
    monkeypatch.setattr(gangs, "COMES", 0.2)
    started: list[str] = []
    there, worlds, ended, told = pilot(lambda tasks: started.extend(task.uid for task in tasks), lambda task: task)
    there.submit([Task("one", ["a"], warm=("torch",))])
    worlds.submit([Task("two", ["a"], ranks=2, warm=("torch",), nodes=1)])
    for turn in (1, 2):
        until(lambda turn=turn: {f"worker.{turn}", f"gang.{turn}"} <= {*started})
        for name in (f"worker.{turn}", f"gang.{turn}"):
            for each in (there, worlds):
                each.news(name, "RUNNING", [("here", 0)], None)
        until(lambda turn=turn: f"worker.{turn}" in ended)
        with worlds._lock:
            gone = worlds._gangs.get(f"gang.{turn}")
        until(lambda gone=gone: gone is None or gone.state == "leaving")
        for name in (f"worker.{turn}", f"gang.{turn}"):
            for each in (there, worlds):
                each.news(name, "CANCELED", [], None)
    until(lambda: len(told) == 2)
    assert {(one.uid, one.state, one.reason) for one in told} == {
        ("one", "FAILED", "its worker did not call within 0 s; it may hang as it imports torch"),
        ("two", "FAILED", "its gang could not be started: of its 2 ranks 0 came within 0 s; one may hang as it imports"
         " torch"),
    }  # fmt: skip
    assert sorted(started) == ["gang.1", "gang.2", "worker.1", "worker.2"]


def test_one_whose_script_cannot_be_written_fails_by_that(pilot):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    there, worlds, _, told = pilot(full, full)
    there.submit([Task("one", ["a"])])
    worlds.submit([Task("two", ["a"], ranks=2, warm=("torch",), nodes=1)])
    until(lambda: len(told) == 2)
    assert {(one.uid, one.state, one.reason) for one in told} == {
        ("one", "FAILED", "its worker could not be started: [Errno 28] No space left on device"),
        ("two", "FAILED", "its gang could not be started: [Errno 28] No space left on device"),
    }
    assert there.first is None


def test_a_gang_is_started_until_it_has_nodes_that_lack_nothing(pilot, tmp_path):
    """Each such start closes a node: it says nothing of the gang, though there are more of them than it may fail."""
    started: list[str] = []
    there, worlds, _, told = pilot(lambda tasks: started.extend(task.uid for task in tasks), lambda task: task, nodes=4)
    near = object.__new__(Pilot)
    near.folder, near._workers, near._gangs = tmp_path, there, worlds
    near._nodes, near._worlds = dict(enumerate("abcd")), SimpleNamespace(hear=lambda news: None)
    worlds.submit([Task("two", ["a"], ranks=2, warm=("torch",), nodes=2)])
    for turn, name in enumerate("abc", 1):
        assert started[-1] == f"gang.{turn}"
        folder = tmp_path / "tasks" / started[-1]
        folder.mkdir(parents=True)
        (folder / "hosts").write_text(f"{name}\nd\n")
        (folder / "unfit.0").write_text("/images/cpu.sif\n")
        near._take(TaskNews(started[-1], "FAILED", 78, [(name, 0), ("d", 0)], [turn - 1, 3], "exit code 78"))
    assert (told, started[-1], there.fitness.unfit) == ([], "gang.4", {0, 1, 2})


def test_jobs_run_on_the_nodes_where_workers_start(tmp_path):
    """The first node starts none: it is told once, whatever the jobs ask for, and no job fails for it."""
    here = Here(tmp_path, 2, nodes=2, lacking=0)
    try:
        here.workers.submit([shell(f"{number}", "true", cores_per_rank=1 + number % 2) for number in range(6)])
        assert {here.get().state for _ in range(6)} == {"DONE"}
        assert here.unfit == [(0, "starts no worker (it said nothing)")]
    finally:
        here.close()
