"""Files with secrets go with their run, and those of a killed run with the next one."""

from __future__ import annotations

import os
import subprocess
import sys

from deeprc.pilot import curve
from deeprc.pilot.processes import MARK
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
        assert RunFolder(tmp_path / ".deeprc").create() == 1
        assert orphan.poll() is not None and lasting.poll() is None
    finally:
        for each in (orphan, lasting):
            each.kill()
            each.wait()
    alive.communicate()
    assert [path.name for path in runs.glob("a/*")] == ["events.jsonl"]
    assert len(list(runs.glob("b/*"))) == 3


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
