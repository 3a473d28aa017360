"""`deeprc bench pipeline` of a small workflow, by a real pilot and without one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = """
localrules: all, data
rule all:
    input: "results/metrics.json"
rule data:
    output: "results/data.txt"
    shell: "echo 3 > {output}"
rule part:
    input: "results/data.txt"
    output: "results/part.{number}.txt"
    log: "results/logs/part.{number}.log"
    shell: "echo $(($(cat {input}) * {wildcards.number})) > {output} 2> {log}"
rule metrics:
    input: expand("results/part.{number}.txt", number=range(4))
    output: "results/metrics.json"
    shell: COMMAND
"""


def bench(folder: Path, command: str) -> subprocess.CompletedProcess:
    (folder / "own.smk").write_text(WORKFLOW.replace("COMMAND", repr(command)))
    line = [str(Path(sys.executable).with_name("deeprc")), "bench", "pipeline", "--repeats", "1", "--json"]
    line += ["--way", "many", "--way", "localhost", "--option=--snakefile", f"--option={folder / 'own.smk'}"]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=600)


def test_ways_make_the_same_from_the_same_data(tmp_path: Path) -> None:
    done = bench(tmp_path, "cat {input} > {output}")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["jobs"], figures["same"]) == (5, True)
    assert {way: each["failures"] for way, each in figures["ways"].items()} == {"many": [], "localhost": []}
    ours = figures["ways"]["localhost"]
    assert 0 < ours["bound_s"] < ours["ready_s"] < ours["seconds"]["median"]
    assert figures["ratios"]["localhost / many"]["median"] == pytest.approx(
        ours["seconds"]["median"] / figures["ways"]["many"]["seconds"]["median"],
        rel=0.2,  # seconds are rounded
    )
    assert [*tmp_path.iterdir()] == [tmp_path / "own.smk"]


def test_a_way_that_fails_or_makes_something_else_is_said(tmp_path: Path) -> None:
    # The pilot's jobs know their run's folder; the bare command has none, and fails.
    done = bench(tmp_path, "test -d .deeprc && cat {input} > {output}")
    assert done.returncode == 1, done.stderr
    figures = json.loads(done.stdout)
    assert figures["ways"]["many"]["failures"] == ["this job failed (exit 1): metrics\n  found: it said nothing"]
    assert "seconds" not in figures["ways"]["many"]
    assert figures["ratios"] == {}
    other = bench(tmp_path, "test -d .deeprc && echo pilot > {output} || echo bare > {output}")
    assert (other.returncode, json.loads(other.stdout)["same"]) == (1, False), other.stderr
