"""Real workers on this machine, started directly: the pilot that would start them is tried in the other files."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conftest import lacking
from deeprc.pilot import Task, started, workers
from here import shell
from pilots import wait_for


@pytest.fixture
def cgroup():
    """A function that makes a cgroup in which processes may have so many MB; skips where that cannot be.

    It lies below the group that this process is in, whose own limits hold for it too.
    """
    made: list[Path] = []

    def make(megabytes: int) -> Path:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            # Version 1 has a hierarchy for memory, version 2 one for all.
            root, limit = ("memory", "memory.limit_in_bytes") if controllers else (".", "memory.max")
            folder = Path("/sys/fs/cgroup", root, path.lstrip("/"), f"deeprc-test-{os.getpid()}")
            with contextlib.suppress(OSError):
                folder.mkdir()
                made.append(folder)
                (folder / limit).write_text(str(megabytes * 10**6))
                return folder
        return lacking("cgroup", "run as root where groups with a limit of memory can be made below one's own")

    yield make
    for folder in made:
        wait_for(lambda folder=folder: not (folder / "cgroup.procs").read_text(), 10)
        folder.rmdir()


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


def test_a_job_that_removes_our_files_is_no_failure_and_the_worker_goes_on(here, tmp_path):
    kept = {"folder": str(tmp_path / "job"), "workdir": str(tmp_path), "sample": str(tmp_path / "job" / "sample")}
    pilot = here()
    for code in (0, 4):
        (tmp_path / "job").mkdir()
        pilot.workers.submit([shell(str(code), f"rm -r job; exit {code}", **kept)])
        outcome = pilot.get()
        assert (outcome.state, outcome.code) == ("FAILED" if code else "DONE", code)
    pilot.workers.submit([shell("nowhere", "true", **kept)])  # as where the disk is full: nothing can be written down
    outcome = pilot.get()
    assert (outcome.state, outcome.code) == ("FAILED", None)
    assert outcome.reason.startswith("it could not be started: [Errno 2] No such file or directory")
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


# It says how often it was asked to end, saves for a while, and ends well.
SAVES = """
import signal, sys, time
asked = []
def end(*_):
    asked.append("asked")
    if len(asked) == 1:
        time.sleep(0.3)
        print(*asked, "saved", file=open(sys.argv[1], "w"))
        sys.exit(0)
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + ".ready", "w")
time.sleep(100)
"""


@pytest.mark.parametrize("how", ["timeout", "cancel", "dismiss"])
def test_programs_are_asked_to_end_and_can_save(here, tmp_path, how):
    """However the shell has started them, and warm ones: each is asked once. The job has failed, however they end."""
    (tmp_path / "saves.py").write_text(SAVES)
    ways = {
        "child": "python saves.py child",
        "exec": "exec python saves.py exec",
        "pipe": "python saves.py pipe | cat",
        "group": "timeout 50 python saves.py group",
        "session": "setsid python saves.py session & wait",
        "warm": "PATH=$DEEPRC_WARM_PATH:$PATH; python saves.py warm; echo $?",
        "lone": "python saves.py lone & sleep 100",
    }
    pilot = here(len(ways), grace=60)
    limit = 6.0 if how == "timeout" else None  # on a busy machine, seven Pythons take their time
    pilot.workers.submit(
        [shell(name, line, warm=("json",) if name == "warm" else (), timeout=limit) for name, line in ways.items()]
    )
    wait_for(lambda: len(list(tmp_path.glob("*.ready"))) == len(ways), 60)
    began = time.monotonic()
    if how == "cancel":
        pilot.workers.cancel([*ways])
    elif how == "dismiss":
        pilot.workers.dismiss()
    outcomes = [pilot.get() for _ in ways]
    assert time.monotonic() - began < 40  # none had to be made
    assert {name: (tmp_path / name).read_text() for name in ways} == dict.fromkeys(ways, "asked saved\n")
    assert {outcome.state for outcome in outcomes} == {"FAILED" if how == "timeout" else "CANCELED"}


def test_a_signal_for_a_warm_program_reaches_it(here, tmp_path):
    (tmp_path / "saves.py").write_text(SAVES)
    line = "PATH=$DEEPRC_WARM_PATH:$PATH; timeout 2 python saves.py saved; echo $? > code; "
    line += "python -c 'import os; os.kill(os.getpid(), 15)'; echo $? >> code"
    pilot = here()
    pilot.workers.submit([shell("warm", line, warm=("json",))])
    assert pilot.get().state == "DONE"
    assert (tmp_path / "saved").read_text() == "asked saved\n"
    assert (tmp_path / "code").read_text().split() == ["124", "143"]


GRABS = "python -c 'import sys, time; block = bytes(range(256)) * (int(sys.argv[1]) * 3900); time.sleep(60)'"


def test_a_job_that_takes_more_memory_than_it_may_is_ended_and_told(here, tmp_path):
    """What the processes of a job share counts once."""
    shared = "python -c 'import os, time; block = b\"x\" * 150_000_000; [os.fork() for _ in range(2)]; time.sleep(3)'"
    pilot = here(3)
    tasks = [
        shell("alone", f"{GRABS} 300", memory_mb=250),
        shell("together", f"{GRABS} 150 & {GRABS} 150", memory_mb=250),
        shell("forks", shared, memory_mb=250),
    ]
    pilot.workers.submit(tasks)
    found = {outcome.uid: outcome for outcome in (pilot.get() for _ in tasks)}
    assert {uid: outcome.state for uid, outcome in found.items()} == {
        "alone": "FAILED", "together": "FAILED", "forks": "DONE",
    }  # fmt: skip
    for uid in ("alone", "together"):
        assert found[uid].code is None
        used = re.fullmatch(r"ended for its memory: (\d+) MB were in use, mem_mb allows 250", found[uid].reason)
        assert 250 < int(used[1]) < 500


def test_memory_decides_how_many_run_at_a_time(here, tmp_path):
    pilot = here(4, memory=1000)
    line = "date +%s.%N >> {0}; sleep 1; date +%s.%N >> {0}"
    pilot.workers.submit([shell(str(i), line.format(i), memory_mb=600) for i in range(2)] + [shell("free", "true")])
    assert [pilot.get().state for _ in range(3)] == ["DONE"] * 3
    spans = sorted(tuple(map(float, (tmp_path / str(i)).read_text().split())) for i in range(2))
    assert spans[0][1] <= spans[1][0]


def test_a_job_that_the_kernel_has_killed_is_told_as_such(here, cgroup):
    pilot = here(1, memory=1000)
    pilot.workers.submit(
        [
            shell("starved", f"echo $$ > {cgroup(40)}/cgroup.procs; {GRABS} 200", memory_mb=500),
            shell("shot", "kill -9 $$", memory_mb=500),
        ]
    )
    starved, shot = pilot.get(), pilot.get()
    assert (starved.state, starved.code) == ("FAILED", None)
    assert starved.reason == (
        "killed (SIGKILL), most likely by the kernel, as memory ran out meanwhile; it asks for mem_mb=500"
    )
    assert (shot.code, shot.reason) == (-9, None)


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


def test_the_key_is_private(here, tmp_path):
    """Nor do command lines or the environment of a job hold it."""
    pilot = here()
    pilot.workers.submit([shell("a", f"cat /proc/{{$PPID,self}}/{{cmdline,environ}} > {tmp_path}/told")])
    assert pilot.get().state == "DONE"
    key, told = (tmp_path / "key").read_bytes(), (tmp_path / "told").read_bytes()
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    assert str(tmp_path / "key").encode() in told
    assert not [form for form in (key, key.hex().encode(), base64.b64encode(key)) if form in told]


def test_a_thousand_jobs_are_quick(here):
    """Beside as many bare shells on this machine as it is now; RADICAL-Pilot alone does 10 to 24 in a second."""
    pilot = here(cores=os.cpu_count())
    began = time.monotonic()
    for _ in range(100):
        subprocess.run(["bash", "-c", "true"], check=True)
    bare, started = 10 * (time.monotonic() - began), time.monotonic()
    pilot.workers.submit([shell(str(i), "true") for i in range(1000)])
    states = [pilot.get(60).state for _ in range(1000)]
    assert set(states) == {"DONE"}
    print(f"a thousand jobs take {(time.monotonic() - started) / bare:.1f} times as long as bare ones")
    assert time.monotonic() - started < 20 * bare


def test_a_worker_that_cannot_call_says_where_it_tried(tmp_path):
    (tmp_path / "key").write_bytes(b"k")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, str(started.PROGRAM), address, str(tmp_path / "key"), "worker.1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"cannot reach the client at {address}" in done.stderr
    assert "set DEEPRC_ADDRESS" in done.stderr


@pytest.mark.parametrize(("declared", "seen"), [(("A_TOKEN", "NOT_THERE"), "planted"), ((), "")])
def test_a_job_in_an_image_gets_of_the_users_variables_those_that_are_declared(here, tmp_path, declared, seen):
    """From the file: its worker's own environment is that of the image."""
    (tmp_path / "environment").write_bytes(b"A_TOKEN=planted\0B_TOKEN=hidden\0PATH=/nowhere\0")
    one = here()
    told = {"environment": str(tmp_path / "environment"), "chosen": declared, "variables": {"C": "1"}}
    script = 'echo "$A_TOKEN,${B_TOKEN-},$PATH,$C,$HOME"'
    one.workers.submit([Task("a", ["/bin/sh", "-c", script], folder=str(tmp_path), workdir=str(tmp_path), **told)])
    assert one.get().state == "DONE"
    assert (tmp_path / "out.0").read_text() == f"{seen},,{os.environ['PATH']},1,{os.environ['HOME']}\n"
