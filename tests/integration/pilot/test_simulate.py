"""A Snakefile as the load of a simulated machine: its jobs, what they ask for, and which come after which."""

from __future__ import annotations

import pytest

from deeprc.bench.simulate import run
from deeprc.bench.simulate.machine import Costs
from deeprc.core.errors import DeepRCError

AT_ONCE = Costs(launches=0, worker=0, job=0, world=0, leave=0)
WORKFLOW = """
localrules: all, gathered
rule all:
    input: "last.txt"
rule part:
    output: "part.{number}.txt"
    resources: runtime=lambda wildcards: 1 + int(wildcards.number)
    shell: "exit 1"
rule fit:
    input: "part.0.txt"
    output: "fit.txt"
    resources: tasks=4, runtime=2, mem_mb=4000
    shell: "exit 1"
rule gathered:
    input: expand("part.{number}.txt", number=range(4))
    output: "gathered.txt"
    shell: "exit 1"
rule last:
    input: "gathered.txt", "fit.txt"
    output: "last.txt"
    threads: 3
    resources: mem_mb=lambda wildcards, input: int(open(input[0]).read())
    shell: "exit 1"
"""


def test_the_jobs_of_a_snakefile_run_after_those_that_they_need(tmp_path, monkeypatch):
    """`fit` after one job of `part`; `last` after all of them, by way of a job that runs beside the executor."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.smk").write_text(WORKFLOW)
    figures = run.run("frontera", None, 1, "own.smk", None, 1, AT_ONCE, tmp_path)
    assert (figures["jobs"], figures["makespan_s"], figures["bound_s"]) == (6, 300.0, 300.0)
    stages = {stage["name"]: stage for stage in figures["stages"]}
    assert {name: (stage["jobs"], stage["ranks"], stage["cores"]) for name, stage in stages.items()} == {
        "part": (4, 1, 1), "fit": (1, 4, 1), "last": (1, 1, 3),
    }  # fmt: skip
    busy = {round(seconds): cores for seconds, cores, _ in figures["timeline"]}
    assert [busy[at] for at in (30, 90, 150, 210, 270)] == [4, 7, 6, 1, 3]
    later = "what it asks for is known once others have run: the least"
    assert stages["last"]["times"] == f"60 s, where its rule names no runtime; {later}"
    assert stages["fit"]["times"] == "its runtime, the most that it may take"
    assert [path.name for path in tmp_path.iterdir()] == ["own.smk"]  # nothing was run, and nothing is left
    with pytest.raises(DeepRCError, match="a Snakefile has as many jobs as it has"):
        run.run("frontera", None, 1, "own.smk", 100, 1, AT_ONCE, tmp_path)
    (tmp_path / "own.smk").write_text("localrules: a\nrule a:\n    output: 'a'\n    shell: 'true'\n")
    with pytest.raises(DeepRCError, match="this workflow has no job for a pilot"):
        run.run("frontera", None, 1, "own.smk", None, 1, AT_ONCE, tmp_path)
    (tmp_path / "own.smk").write_text("rule a:\n    output: 'a'\n    resources: exclusive=1\n    shell: 'true'\n")
    with pytest.raises(DeepRCError, match=r"(?s)would be refused.*exclusive cannot be had within a pilot"):
        run.run("frontera", None, 1, "own.smk", None, 1, AT_ONCE, tmp_path)
    (tmp_path / "own.smk").write_text("rule a:\n    input: 'nowhere.csv'\n    output: 'a'\n    shell: 'true'\n")
    with pytest.raises(DeepRCError, match=r"(?s)Snakemake cannot tell the jobs of this workflow.*nowhere\.csv"):
        run.run("frontera", None, 1, "own.smk", None, 1, AT_ONCE, tmp_path)
