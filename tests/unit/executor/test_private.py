"""Files with secrets go with their run, and those of a killed run with the next one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import psutil
import pytest

from deeprc.pilot import curve
from deeprc.pilot.processes import MARK, note_session, sweep_below
from snakemake_executor_plugin_radical_pilot.runs import RunFolder

PROGRAM = """
import sys, pathlib
from snakemake_executor_plugin_radical_pilot.private import Private
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "events.jsonl").touch()
private = Private(folder)
private.write(private.environment, b"A=1\\0")
private.write(private.configuration, b"{}")
print("written", flush=True)
sys.stdin.read()
"""


def test_the_next_run_removes_those_of_killed_ones_with_their_processes_and_of_no_other(tmp_path):
    runs = tmp_path / ".deeprc" / "runs"
    killed, alive = (
        subprocess.Popen([sys.executable, "-c", PROGRAM, runs / name], stdin=-1, stdout=-1) for name in ("a", "b")
    )
    for each in (killed, alive):
        assert each.stdout.readline() == b"written\n"
    orphan, lasting = (
        subprocess.Popen(
            ["sleep", "60"], env={**os.environ, MARK: str(place), curve.VARIABLE: f"{place}/pilot-1/curve"}
        )
        for place in (runs / "a", runs / "b")
    )
    killed.kill()
    killed.wait()
    assert len(list(runs.glob("a/*"))) == 3
    try:
        assert RunFolder(tmp_path / ".deeprc").create() == ["1 process that it had left here"]
        assert orphan.poll() is not None and lasting.poll() is None
    finally:
        for each in (orphan, lasting):
            each.kill()
            each.wait()
    alive.communicate()
    assert [path.name for path in runs.glob("a/*")] == ["events.jsonl"]
    assert len(list(runs.glob("b/*"))) == 3


STARTS = """
import os, subprocess, sys
print(subprocess.Popen(["sleep", "60"]).pid, subprocess.Popen(sys.argv[1:2] + ["60"], env={}).pid, flush=True)
"""


@pytest.mark.parametrize("noted", [True, False], ids=["its own", "somebody else's"])
def test_of_a_session_whose_leader_has_ended_only_a_brokers_goes(tmp_path, noted):
    """CI's machine, and daemons: all that runs there stands in a session without a leader, this test included."""
    pilot = tmp_path / "pilot-1"
    pilot.mkdir()
    leader = subprocess.Popen(
        [sys.executable, "-c", STARTS, "sleep"], start_new_session=True, stdout=-1,
        env={**os.environ, MARK: str(tmp_path), curve.VARIABLE: str(pilot / curve.NAME)},
    )  # fmt: skip
    marked, other = (psutil.Process(int(pid)) for pid in leader.stdout.readline().split())
    leader.wait()
    if noted:
        note_session(pilot, leader.pid)
    try:
        assert sweep_below(tmp_path) == 1 + noted
        # One that nobody has asked for yet is a zombie.
        runs = [each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in (marked, other)]
        assert runs == [False, not noted]
    finally:
        for process in (marked, other):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_run_leaves_none(tmp_path):
    run = RunFolder(tmp_path / ".deeprc")
    run.create()
    run.private.write(run.private.environment, b"A=1\0")
    assert run.private.environment.read_bytes() == b"A=1\0"
    assert run.private.environment.stat().st_mode & 0o777 == 0o600
    script = run.job("a.1").script
    script.touch()
    run.private.add(script)
    run.private.remove()
    assert [path for path in run.path.rglob("*") if path.is_file()] == []
    run.tidy()
    run.private.remove()
    assert not run.path.exists()
