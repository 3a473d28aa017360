"""Real workers on this machine, started directly: the pilot that would start them is tried in the other files."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from deeprc.pilot import Task, workers
from deeprc.pilot.workers import Workers


class Here:
    """In the pilot's place: starts the workers' processes, and tells of them what the pilot would."""

    def __init__(self, folder, cores: int, *, address: str | None = None, program: list[str] | None = None) -> None:
        self.processes: dict[str, subprocess.Popen] = {}
        self.outcomes: queue.SimpleQueue = queue.SimpleQueue()
        self.began: list[str] = []
        self._program, self._folder = program, folder
        self.workers = Workers(
            cores, 0, folder, address=address, launch=self.launch, report=self.outcomes.put, began=self.began.append
        )

    def launch(self, tasks: list[Task]) -> None:
        for task in tasks:
            self.processes[task.uid] = subprocess.Popen(self._program or task.argv, cwd=self._folder)
            cores = [("here", len(self.processes) - 1)]
            self._later(self.workers.news, task.uid, "AGENT_EXECUTING", cores, None)

    def _later(self, call, *arguments) -> None:
        import threading

        threading.Timer(0.05, call, arguments).start()

    def settle(self) -> None:
        """Tell of the workers that have ended."""
        for uid, process in list(self.processes.items()):
            if process.poll() is not None:
                del self.processes[uid]
                self.workers.news(uid, "DONE" if process.returncode == 0 else "FAILED", [], "it said nothing")

    def get(self, seconds: float = 60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.settle()
            if not self.outcomes.empty():
                return self.outcomes.get()
            time.sleep(0.02)
        raise AssertionError("no outcome in time")

    def close(self) -> None:
        self.workers.close()
        for process in self.processes.values():
            process.wait(30)


@pytest.fixture
def here(tmp_path):
    made = []

    def make(cores: int = 1, **options) -> Here:
        made.append(Here(tmp_path, cores, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def shell(uid: str, command: str, **options) -> Task:
    return Task(uid, ["/bin/bash", "-c", command], **options)


def test_jobs_run_one_after_the_other_on_one_worker(here, tmp_path):
    pilot = here()
    pilot.workers.submit([shell(str(i), f"echo {i} >> order; exit {i % 2}") for i in range(20)])
    found = [pilot.get() for _ in range(20)]
    assert [(o.uid, o.state, o.code) for o in found] == [
        (str(i), "FAILED" if i % 2 else "DONE", i % 2) for i in range(20)
    ]
    assert {tuple(o.cores) for o in found} == {(("here", 0),)}
    assert (tmp_path / "order").read_text().split() == [str(i) for i in range(20)]
    assert len(pilot.processes) == 1


def test_over_the_network_too(here):
    pilot = here(address="127.0.0.1")
    pilot.workers.submit([shell("a", "true")])
    assert pilot.get().state == "DONE"


def test_a_waiting_and_a_running_job_can_be_cancelled(here):
    pilot = here()
    pilot.workers.submit([shell("long", "sleep 100 & sleep 100"), shell("next", "true"), shell("last", "true")])
    while pilot.began != ["long"]:
        time.sleep(0.01)
    assert pilot.workers.cancel(["next", "long", "unknown"]) == ["unknown"]
    assert [(o.uid, o.state) for o in (pilot.get(), pilot.get(), pilot.get())] == [
        ("next", "CANCELED"),
        ("long", "CANCELED"),
        ("last", "DONE"),
    ]


def test_a_job_that_ignores_the_end_of_its_runtime_is_killed(here):
    pilot = here()
    started = time.monotonic()
    pilot.workers.submit([shell("long", "trap '' TERM; sleep 100; sleep 100", timeout=0.5)])
    outcome = pilot.get()
    assert (outcome.state, outcome.code) == ("FAILED", None)
    assert outcome.reason.startswith("ended after its runtime of 0.008")
    assert time.monotonic() - started < 30  # of the 200 s that it would take


def test_a_worker_that_dies_takes_its_job_along_and_is_replaced(here, tmp_path):
    pilot = here()
    pilot.workers.submit([shell("a", "echo $$ > pid; sleep 100"), shell("b", "true")])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    (process,) = pilot.processes.values()
    process.send_signal(signal.SIGKILL)
    assert (pilot.get().reason, pilot.get().state) == ("its worker has ended", "DONE")


def test_a_worker_whose_client_is_gone_ends_with_its_job(here, tmp_path):
    pilot = here()
    pilot.workers.submit([shell("a", "echo $$ > pid; sleep 100")])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.02)
    (process,) = pilot.processes.values()
    pilot.close()
    assert process.poll() is not None
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_workers_that_never_come_fail_their_jobs_after_two_tries(here):
    pilot = here(program=[sys.executable, "-c", "raise SystemExit(1)"])
    pilot.workers.submit([shell("a", "true"), shell("b", "true")])
    assert [(o.uid, o.state, o.reason) for o in (pilot.get(), pilot.get())] == [
        ("a", "FAILED", "it said nothing"),
        ("b", "FAILED", "it said nothing"),
    ]


def test_an_idle_worker_lets_go_of_its_cores(here, monkeypatch):
    monkeypatch.setattr(workers, "KEPT", 0.5)
    pilot = here()
    pilot.workers.submit([shell("a", "true")])
    pilot.get()
    (process,) = pilot.processes.values()
    assert process.wait(30) == 0


def test_nobody_without_the_key_is_let_in(here):
    from multiprocessing import AuthenticationError
    from multiprocessing.connection import Client

    pilot = here()
    with pytest.raises(AuthenticationError):
        Client("\0" + pilot.workers._address[1:], authkey=b"guess")
    pilot.workers.submit([shell("a", "true")])  # and those who have it still are
    assert pilot.get().state == "DONE"


def test_the_key_is_private(here, tmp_path):
    here()
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_a_thousand_jobs_are_quick(here):
    """Far from the figure of the benchmark, for a busy machine: RADICAL-Pilot alone does 10 to 24 in a second."""
    pilot = here(cores=os.cpu_count())
    started = time.monotonic()
    pilot.workers.submit([shell(str(i), "true") for i in range(1000)])
    states = [pilot.get(60).state for _ in range(1000)]
    assert set(states) == {"DONE"}
    assert 1000 / (time.monotonic() - started) > 30


def test_a_worker_that_cannot_call_says_where_it_tried(tmp_path):
    (tmp_path / "key").write_bytes(b"k")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, str(workers.PROGRAM), address, str(tmp_path / "key"), "worker.1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"cannot reach the client at {address}" in done.stderr
    assert "set DEEPRC_ADDRESS" in done.stderr
