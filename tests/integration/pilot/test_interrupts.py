"""Ctrl-C, again and again, and a detached run that is cancelled as it begins: a sentence each, and nothing is left."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeprc.pilot import detached
from pilots import QUIET, events, finish, jobs_that_began, run, start, survivors, wait_for
from snakemake_executor_plugin_radical_pilot.interrupting import ENDED

DEEPRC = Path(sys.executable).parent / "deeprc"
BEGIN = 240  # seconds that a start may take on a busy machine


def interrupt_until_it_ends(process: subprocess.Popen, pause: float) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(pause)


@pytest.mark.parametrize("pause", [0.01, 1.2])
def test_interrupts_without_end_break_no_end_off(tmp_path, pause):
    process = start(tmp_path, "mpi.smk", "--config", "seconds=86.5", *QUIET, "slept.txt")
    wait_for(lambda: jobs_that_began(tmp_path), BEGIN)
    interrupt_until_it_ends(process, pause)
    code, output = finish(process, 60)
    assert code != 0
    assert "Traceback" not in output, output
    wait_for(lambda: not survivors(tmp_path), 10)
    assert events(tmp_path)[-1]["state"] == "closed"


def test_interrupted_while_it_reads_its_jobs_a_run_says_so(tmp_path):
    (tmp_path / "Snakefile").write_text("import pathlib, time\npathlib.Path('read').touch()\ntime.sleep(60)\n")
    process = start(tmp_path, str(tmp_path / "Snakefile"))
    wait_for((tmp_path / "read").exists, BEGIN)
    process.send_signal(signal.SIGINT)
    code, output = finish(process, 60)
    assert (code, output.splitlines()[-1:]) == (-signal.SIGINT, [ENDED])
    assert "Traceback" not in output, output


# As Python starts: the import of that module is interrupted.
PLANTED = """
import os, signal, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize("name", ["deeprc.core.errors", "snakemake_executor_plugin_radical_pilot.executor"])
def test_interrupted_while_it_imports_the_executor_a_run_says_so(name, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(PLANTED.format(name=name))
    (tmp_path / "Snakefile").write_text("rule all:\n")
    code, output = run(tmp_path, str(tmp_path / "Snakefile"), PYTHONPATH=str(tmp_path))
    assert (code, output) == (-signal.SIGINT, f"{ENDED}\n")


@pytest.mark.parametrize("moment", ["at once", "as it imports", "as the pilot starts"])
def test_a_detached_run_that_is_cancelled_as_it_begins_ends_in_a_sentence(tmp_path, moment):
    begun = start(tmp_path, "mpi.smk", "--config", "seconds=86.5", "--radical-pilot-detach", *QUIET, "slept.txt")
    code, told = finish(begun, BEGIN)
    assert code == 0, told
    name = re.search(r"run (\S+) goes on", told)[1]
    (run,) = detached.runs(tmp_path / ".deeprc")
    if moment == "as it imports":
        wait_for(run.log.exists, BEGIN)
    elif moment == "as the pilot starts":
        wait_for(lambda: run.log.exists() and "starting a pilot" in run.log.read_text(), BEGIN)
    done = subprocess.run([DEEPRC, "run", "cancel"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"run {name} was asked to end\n")
    wait_for(lambda: run.code is not None, 60)
    said = run.log.read_text()
    assert run.state == "cancelled", said
    assert "Traceback" not in said and said.strip(), said
    wait_for(lambda: not survivors(tmp_path), 10)
