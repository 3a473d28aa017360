"""A small real run in a pilot: its parts add up, imports are no idle cores, the chain is that of its files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deeprc.reporting.events import read_runs
from deeprc.reporting.parts import parts

BIN = Path(sys.executable).parent
SNAKEFILE = """
rule all:
    input: "joined"

rule prepare:
    output: "data"
    shell: "sleep 1; echo 1 > {output}"

rule train:
    input: "data"
    output: "model.{name}"
    resources: warm="polars,pyarrow.parquet"
    shell: "python -c 'import polars, time; from deeprc.core import spent; spent.begun(); time.sleep({wildcards.name});"
           " spent.checkpoint(0.5)'; cp {input} {output}"

rule join:
    input: "model.1", "model.3"
    output: "joined"
    shell: "cat {input} > {output}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "Snakefile").write_text(SNAKEFILE)
    command = [BIN / "snakemake", "--executor", "radical-pilot", "--radical-pilot-site", "localhost", "--jobs", "9"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def shown(folder: Path, *words: str) -> str:
    (name,) = (each.name for each in (folder / ".deeprc" / "runs").iterdir())
    command = [BIN / "deeprc", "run", "show", name, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_parts_of_a_real_run_add_up_and_tell_imports_checkpoints_and_preparation(folder):
    told = json.loads(shown(folder, "--json"))
    (run,) = read_runs(folder / ".deeprc" / "runs")
    found = told["time"]["parts"]
    assert sum(found.values()) == pytest.approx(run.end - run.begin, abs=0.02)
    assert sum(found.values()) == pytest.approx(told["seconds"], abs=0.02)
    workers = [each for each in run.workers if each.warm == ["polars", "pyarrow.parquet"]]
    imports = sum(each.time - each.began for each in workers)
    assert imports > 0.1
    begun = sum(task.spent["import"] for task in run.tasks if task.rule == "train")
    assert found["import"] == pytest.approx((imports + begun) / run.cores, rel=0.3)
    assert found["checkpoint"] == pytest.approx(2 * 0.5 / run.cores, abs=0.01)
    assert found["data preparation"] == pytest.approx(1 / run.cores, rel=0.5)
    assert found["compute"] >= (1 + 3 - 2 * 0.5) / run.cores
    assert {"pilot start", "idle cores", "pilot close"} <= found.keys()
    assert parts(run) == pytest.approx(found, abs=0.001)


def test_the_chain_goes_through_the_slower_training(folder):
    """Both are in it where one worker ran both, since the other came late: a busy machine does that."""
    chain = json.loads(shown(folder, "--json"))["time"]["chain"]
    first, *trained, last = (link["rule"] for link in chain)
    assert (first, {*trained}, last) == ("prepare", {"train"}, "join")
    (run,) = read_runs(folder / ".deeprc" / "runs")
    assert max(link["ran"] for link in chain) == max(round(task.seconds, 4) for task in run.tasks)


def test_it_is_told_to_people_too_and_energy_or_why_not(folder):
    told = shown(folder)
    assert "where the time went" in told and re.search("the chain of [34] jobs", told) and "Largest loss: " in told
    energy = json.loads(shown(folder, "--json"))["time"]["energy"]
    assert energy["why"] or energy["joules"] > 0
