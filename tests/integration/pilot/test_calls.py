"""Calls of Python functions on real workers: each is told once, also where what runs it is killed."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.pilot import Task
from deeprc.pilot.calls import calls
from started_pilot import Started

MODULE = """
import json, os, sys, time

class Kept:
    made = 0

    @classmethod
    def more(cls):
        cls.made += 1
        return cls.made

def note(path, number):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{number} {os.getpid()}\\n".encode())
    os.close(file)
    time.sleep(0.001)
    return {"twice": 2 * number, "cwd": os.getcwd(), "warm": "wave" in sys.modules}

def wrong():
    print("said before")
    raise KeyError("no such station")

def leave():
    sys.exit(7)

def unknown():
    return {1, 2}

def merged():
    return {1: 2, "1": 3}

sys.path.append("as the module is read")  # for what its functions import later

def go():
    os.chdir("/")
    os.umask(0)
    sys.path.insert(0, "by a call")
    return os.getcwd()

def here():
    mask = os.umask(0o77)
    return [os.getcwd(), mask, "by a call" in sys.path, "as the module is read" in sys.path]

def forks():
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return "parent" if pid else "child"

def linger(path, number):
    note(path, number)
    time.sleep(100)

def die():
    if os.fork() == 0:
        time.sleep(1000)
    os.kill(os.getpid(), 9)
"""
WARM = ("wave",)  # of the standard library, which nothing else imports


def call(place, uid: str, function: str, *arguments: object, **more) -> Task:
    return Task(uid, [], function=f"stations:{function}", arguments=list(arguments), workdir=str(place), **more)


def test_a_call_says_what_it_gave_or_raised_and_its_process_stays_for_the_next(here, tmp_path):
    (tmp_path / "stations.py").write_text(MODULE)
    (tmp_path / "program.py").write_text("def own():\n    return 'the user has a module of this name'\n")
    pilot, folder = here(), str(tmp_path)
    own = Task("own", [], function="program:own", workdir=folder)
    first, second = (call(tmp_path, f"m{n}", "Kept.more", folder=folder) for n in (1, 2))
    names = ("wrong", "leave", "unknown", "merged", "absent")
    raises = [call(tmp_path, name, name, folder=folder) for name in names]
    goes, then = call(tmp_path, "goes", "go"), call(tmp_path, "then", "here")
    nowhere = call(tmp_path / "nowhere", "nowhere", "here")
    shell = Task("job", ["/bin/bash", "-c", "exit 3"])
    pilot.workers.submit([first, *raises, second, shell, call(tmp_path, "m3", "Kept.more"), own, goes, then, nowhere])
    found = {outcome.uid: outcome for outcome in (pilot.get() for _ in range(13))}
    assert {uid: (outcome.state, outcome.value) for uid, outcome in found.items()} == {
        "m1": ("DONE", 1), "m2": ("DONE", 2), "job": ("FAILED", None), "m3": ("DONE", 1),
        "own": ("DONE", "the user has a module of this name"), "goes": ("DONE", "/"),
        "then": ("DONE", [folder, 0o77, False, True]),
        **{task.uid: ("FAILED", None) for task in [*raises, nowhere]},
    }  # fmt: skip
    assert found["nowhere"].reason == f"FileNotFoundError: [Errno 2] No such file or directory: '{tmp_path}/nowhere'"
    assert [found[task.uid].reason for task in raises] == [
        "KeyError: 'no such station'", "SystemExit: 7", "TypeError: Object of type set is not JSON serializable",
        "TypeError: the keys 1 and '1' of a dictionary are both written '1'",
        "AttributeError: module 'stations' has no attribute 'absent'",
    ]  # fmt: skip
    assert found["m1"].cpu < 1
    assert "said before" in (tmp_path / "out.0").read_text()  # and the traceback
    assert "in wrong" in (tmp_path / "out.0").read_text()
    assert len(pilot.processes) == 1


def test_a_call_that_ends_its_process_or_is_ended_is_told_and_the_next_one_runs(here, tmp_path):
    (tmp_path / "stations.py").write_text(MODULE)
    pilot, noted = here(), tmp_path / "noted"
    pilot.workers.submit([
        call(tmp_path, "dies", "die"), call(tmp_path, "late", "linger", str(noted), 1, timeout=0.5),
        call(tmp_path, "cancelled", "linger", str(noted), 2), call(tmp_path, "well", "note", str(noted), 3),
    ])  # fmt: skip
    found = [pilot.get() for _ in range(2)]
    deadline = time.monotonic() + 60
    while "2 " not in noted.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lingering = int(noted.read_text().splitlines()[1].split()[1])
    assert pilot.workers.cancel(["cancelled"]) == []
    found += [pilot.get() for _ in range(2)]
    assert [(each.uid, each.state, each.reason) for each in found] == [
        ("dies", "LOST", "the process that ran it has ended (SIGKILL)"),
        ("late", "FAILED", "ended after its runtime of 0.00833333 min"), ("cancelled", "CANCELED", "cancel"),
        ("well", "DONE", None),
    ]  # fmt: skip
    assert not psutil.pid_exists(lingering)
    assert len(pilot.processes) == 1


def test_what_calls_have_left_that_nobody_listened_to_is_not_taken_for_the_next_ones(here, tmp_path):
    (tmp_path / "stations.py").write_text(MODULE)
    (tmp_path / "environment").touch()
    there = here()
    pilot = SimpleNamespace(
        submit=there.workers.submit, cancel=there.workers.cancel,
        pulls=SimpleNamespace(kept=lambda: tmp_path / "environment"),
        outcomes=lambda: [there.outcomes.get() for _ in range(there.outcomes.qsize())],
        allocation=SimpleNamespace(ended=False, state="ACTIVE", why=None, nodes=1, cores=1, gpus=0, memory_mb=0),
    )  # fmt: skip
    noted = str(tmp_path / "noted")
    for number, _ in calls(pilot, "stations:note", [(noted, number) for number in range(20)], workdir=tmp_path):
        if number == 5:
            break
    again = calls(pilot, "stations:note", [(noted, 100 + number) for number in range(20)], workdir=tmp_path)
    found = [(number, outcome.value["twice"]) for number, outcome in again]
    assert found == [(number, 200 + 2 * number) for number in range(20)]
    assert len(Path(noted).read_text().splitlines()) < 40  # those that waited are not made any more


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls")
    (folder / "stations.py").write_text(MODULE)
    one = Started(folder)
    yield one
    one.pilot.close()


def workers_of(started: Started) -> list[psutil.Process]:
    lines = {each: each.cmdline() for each in psutil.Process().children(recursive=True)}
    own = str(started.folder / "pilot")
    return [each for each, line in lines.items() if line[-2:-1] and line[-2].startswith("worker.") and own in line[-3]]


@pytest.mark.parametrize("again", [0, 1])
def test_each_call_counts_once_though_its_worker_is_killed(started, again):
    """What a call does is done once, or not at all where it is told as lost; what is told as done is done."""
    count, noted = 800, started.folder / f"noted.{again}"
    arguments, found, killed = ((str(noted), number) for number in range(count)), [], []
    for number, outcome in calls(
        started.pilot, "stations:note", arguments, warm=WARM, again=again, workdir=started.folder
    ):
        found.append((number, outcome))
        if len(found) in (160, 400, 640):
            victim = workers_of(started)[0]
            killed.append(victim.pid)
            victim.send_signal(signal.SIGKILL)
    assert sorted(number for number, _ in found) == list(range(count))
    done = {number for number, outcome in found if outcome.state == "DONE"}
    lost = {number for number, outcome in found if outcome.state == "LOST"}
    assert len(killed) == 3
    assert done | lost == set(range(count))
    assert len(lost) <= (0 if again else len(killed))
    effects = Counter(int(line.split()[0]) for line in noted.read_text().splitlines())
    assert done <= effects.keys()
    twice = {number for number, times in effects.items() if times > 1}
    assert len(twice) <= (len(killed) if again else 0)
    assert all(outcome.reason == "its worker has ended" for _, outcome in found if outcome.state == "LOST")
    where = {"cwd": str(started.folder), "warm": True}
    assert all(outcome.value == {"twice": 2 * number, **where} for number, outcome in found if number in done)
    processes = {int(line.split()[1]) for line in noted.read_text().splitlines()}
    assert len(processes) <= 2 + len(killed)  # of a killed worker, its own goes with it


def test_what_cannot_be_called_is_refused_before_anything_runs(started, tmp_path):
    for function in ("stations", "stations:", "a b:c", ":note"):
        with pytest.raises(ConfigError, match=r"(?s)function that cannot be found.*module:name"):
            [*calls(started.pilot, function, [()])]
    with pytest.raises(ConfigError, match=r"(?s)arguments of stations:note that JSON does not have.*type set"):
        [*calls(started.pilot, "stations:note", [({1},)])]
    with pytest.raises(ConfigError, match=r"(?s)keys 1 and '1' of a dictionary are both written '1'"):
        [*calls(started.pilot, "stations:note", [([{1: 2, "1": 3}],)])]
    for given in ("ab", {"x": 1}, 3):
        with pytest.raises(ConfigError, match=r"(?s)arguments of call 0 are no list.*a list or a tuple"):
            [*calls(started.pilot, "stations:note", [given])]
    with pytest.raises(ConfigError, match="more cores than a node"):
        [*calls(started.pilot, "stations:note", [()], cores=1000)]
    for asked in ({"cores": 0}, {"cores": -1}, {"cores": 1.5}, {"gpus": -1}, {"memory_mb": -5}):
        with pytest.raises(ConfigError, match=rf"(?s)cannot ask for so many.*found: {next(iter(asked.values()))}\n"):
            [*calls(started.pilot, "stations:note", [()], **asked)]
    with pytest.raises(ConfigError, match=r"(?s)warm is no list of modules.*fix: warm=\['numpy'\]"):
        [*calls(started.pilot, "stations:note", [()], warm="numpy")]
    first = calls(started.pilot, "stations:here", [(), ()], workdir=started.folder)
    next(first)
    with pytest.raises(ConfigError, match="makes other calls already"):
        next(calls(started.pilot, "stations:here", [()], workdir=started.folder))
    assert [outcome.state for _, outcome in first] == ["DONE"]
    forked = [*calls(started.pilot, "stations:forks", [()] * 20, workdir=started.folder)]
    assert [(outcome.state, outcome.value) for _, outcome in forked] == [("DONE", "parent")] * 20
    with pytest.raises(ConfigError, match="one rank"):
        call(tmp_path, "ranks", "note", ranks=2)
    started.submit(started.job("true", ranks=1, warm=()))
    started.pilot.submit([])
    with pytest.raises(DeepRCError, match="runs something else"):
        [*calls(started.pilot, "stations:note", [("/dev/null", n) for n in range(200)], workdir=started.folder)]
