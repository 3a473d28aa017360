"""Ending what a pilot started, with real processes that hide in the ways that tasks and RADICAL-Pilot's parts do."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from deeprc.pilot.broker import last_line
from deeprc.pilot.processes import MARK, TASK, members, sweep

STUBBORN = "trap '' TERM; while :; do sleep 60; done"
# What RADICAL-Pilot's components do: the new name is written over the environment, and so over the mark.
RENAMED = "import setproctitle, time; setproctitle.setproctitle('renamed' * 3000); time.sleep(60)"


@pytest.fixture
def broker():
    """A process that leads a session and starts, by its input, what a pilot starts; with its mark."""
    mark = f"test-{os.getpid()}-{time.monotonic_ns()}"
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER],
        env={**os.environ, MARK: mark},
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield mark, leader
    leader.kill()
    leader.wait()


LEADER = """
import json, os, subprocess, sys
for line in sys.stdin:
    argv, session = json.loads(line)
    print(subprocess.Popen(argv, start_new_session=session).pid, flush=True)
"""


def begin(leader, argv: list[str], *, session: bool) -> psutil.Process:
    leader.stdin.write(json.dumps([argv, session]) + "\n")
    leader.stdin.flush()
    return psutil.Process(int(leader.stdout.readline()))


def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_over(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("orphans", [False, True], ids=["leader alive", "leader dead"])
def test_sweep_ends_all_that_a_pilot_started_and_nothing_else(broker, orphans):
    mark, leader = broker
    other = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: "another"})
    try:
        stubborn = ["env", f"{TASK}=a.1", "bash", "-c", STUBBORN]
        marked = begin(leader, stubborn, session=True)  # found by its mark alone
        renamed = begin(leader, [sys.executable, "-c", RENAMED], session=False)  # by its session alone
        until(lambda: MARK not in renamed.environ() and len(marked.children()) == 1)
        expected = {marked, renamed, *marked.children()}
        if orphans:
            leader.kill()
        else:
            hidden = begin(leader, [sys.executable, "-c", RENAMED], session=True)  # by its parent alone
            until(lambda: MARK not in hidden.environ())
            expected |= {hidden, psutil.Process(leader.pid)}
        until(lambda: set(members(mark, leader.pid)) == expected)
        assert sweep(mark, leader.pid) == len(expected)
        assert all(is_over(process) for process in expected)
        assert members(mark, leader.pid) == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_what_has_ended_is_not_awaited_until_its_parent_asks(broker):
    """Else each pilot's end would take as long as the machine's first process does, or four times the grace."""
    mark, leader = broker  # which asks for none of its children, and is no part of the pilot here
    child = begin(leader, ["env", f"{MARK}={mark}-child", "sleep", "60"], session=True)
    until(lambda: members(f"{mark}-child", None) == [child])
    began = time.monotonic()
    assert sweep(f"{mark}-child", None, grace=5) == 1
    assert child.status() == psutil.STATUS_ZOMBIE
    assert time.monotonic() - began < 2


def test_tasks_may_clean_up(broker, tmp_path):
    mark, leader = broker
    said = tmp_path / "said"
    command = f"trap 'echo cleaned up > {said}; exit' TERM; touch {said}; while :; do sleep 0.1; done"
    begin(leader, ["env", f"{TASK}=a.1", "bash", "-c", command], session=True)
    until(said.exists)
    sweep(mark, leader.pid)
    assert said.read_text() == "cleaned up\n"


def test_a_broker_whose_client_goes_ends_itself():
    """Its input ends before anything was asked of it: no RADICAL-Pilot is needed to see that it leaves."""
    done = subprocess.run(
        [sys.executable, "-m", "deeprc.pilot.broker"],
        env={**os.environ, MARK: f"test-{os.getpid()}"},
        start_new_session=True,
        input="",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


CLIENT = """
import subprocess, sys
broker = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]], start_new_session=True)
sys.stdin.read()
"""
KILLED = """
import os, subprocess, sys, time
from deeprc.pilot.broker import Broker, outlive
outlive(Broker(sys.stdout, None, sys.argv[1:]))
own, task = (subprocess.Popen([*first, "sleep", "60"], start_new_session=bool(first)).pid for first in ([], ["env"]))
print(os.getpid(), own, task, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("together", [True, False], ids=["with its client", "alone"])
def test_of_a_broker_that_is_killed_nothing_stays_but_the_files_of_a_client_that_goes_on(tmp_path, together):
    secret = tmp_path / "environment"
    secret.touch()
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, KILLED, str(secret)], env={**os.environ, MARK: f"test-{tmp_path}"}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        broker, *started = (psutil.Process(int(pid)) for pid in client.stdout.readline().split())
        fork = next(child for child in broker.children() if child not in started)
        if together:
            client.kill()
            client.wait()
        broker.kill()
        until(lambda: all(map(is_over, [*started, fork])))
        assert secret.exists() != together
    finally:
        client.kill()
        client.wait()
        sweep(f"test-{tmp_path}", broker.pid)


def test_last_words_are_the_programs_not_the_launchers():
    text = "Traceback\n  no such file\nsrun: error: node1: task 0: Exited with exit code 1\n\n"
    assert last_line(text) == "no such file"
    assert last_line("srun: error: no step\n") == "srun: error: no step"
    assert last_line("") == ""
    hydra = "[mpiexec@vm] cb (a.c:533): assert (x) failed\n[mpiexec@vm] main (b.c:270): error waiting\n"
    assert last_line(hydra) == "[mpiexec@vm] cb (a.c:533): assert (x) failed"
    assert last_line(f"{hydra}no such file\n{hydra}") == "no such file"
