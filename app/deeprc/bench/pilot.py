"""`deeprc bench pilot`: a workflow of short jobs by the pilot, by the local executor, and with nested Snakemakes."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deeprc.bench.machine import describe
from deeprc.core.errors import DeepRCError
from deeprc.core.events import Event, JobEvent, PilotEvent, read
from deeprc.pilot import PACKAGES

NESTED = 8  # jobs that are enough to know what a Snakemake for each costs
SNAKEFILE = """\
rule all:
    input: expand("out/{{i}}", i=range({tasks}))

rule short:
    output: "out/{{i}}"
    shell: "touch {{output}}"
"""


def run(tasks: int) -> dict:
    """Measure a workflow of `tasks` independent `touch` jobs.

    Returns
    -------
    dict
        `pilot`: `startup_s` (from the first submission to the pilot being active), `tasks_per_s` (once active),
        `latency_median_s` and `latency_p95_s` (from a job's end to the next start on the same core), `close_s`,
        `total_s`; `local`: `tasks_per_s`, `total_s`; `nested` the same for NESTED jobs by the cluster-generic executor,
        each with a Snakemake of its own, null where it is not installed; `ratio_total` (pilot over local);
        `ratio_nested` (the pilot's tasks per second over the nested ones'); `machine`.
    """
    with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as folder:
        pilot_s = _snakemake(Path(folder, "pilot"), tasks, "--executor", "radical-pilot", "--jobs", "1000000")
        (path,) = Path(folder, "pilot").glob(".deeprc/runs/*/events.jsonl")
        pilot = summarize(list(read(path)))
        cores = str(len(os.sched_getaffinity(0)))
        local_s = _snakemake(Path(folder, "local"), tasks, "--executor", "local", "--cores", cores)
        nested = _nested(Path(folder, "nested"), cores)
    return {
        "tasks": tasks,
        "pilot": {**pilot, "total_s": round(pilot_s, 2)},
        "local": {"tasks_per_s": round(tasks / local_s, 2), "total_s": round(local_s, 2)},
        "nested": nested,
        "ratio_total": round(pilot_s / local_s, 2),
        "ratio_nested": nested and round(pilot["tasks_per_s"] / nested["tasks_per_s"], 1),
        "machine": describe(["deeprc", *PACKAGES, "snakemake"]),
    }


def summarize(events: list[Event]) -> dict:
    """The figures of one run from its events."""
    at = {e.state: e.time for e in events if isinstance(e, PilotEvent)}
    finished = (e for e in events if isinstance(e, JobEvent) and e.state == "finished")
    jobs = sorted(finished, key=lambda job: job.start)
    free: dict[int, float] = {}  # the pilot has one node
    latency = []
    for job in jobs:
        idle = [free[core] for core in job.cores if core in free]
        if idle:
            latency.append(job.start - max(idle))
        free |= dict.fromkeys(job.cores, job.stop)
    busy = max(job.stop for job in jobs) - max(at["active"], min(job.submit for job in jobs))
    return {
        "startup_s": round(at["active"] - at["starting"], 2),
        "tasks_per_s": round(len(jobs) / busy, 2),
        "latency_median_s": round(statistics.median(latency), 3) if latency else None,
        "latency_p95_s": round(statistics.quantiles(latency, n=20, method="inclusive")[-1], 3)
        if len(latency) > 1
        else None,
        "close_s": round(at["closed"] - at["closing"], 2),
    }


def _nested(folder: Path, cores: str) -> dict | None:
    """The figures of the cluster-generic executor, with a batch system that starts every job at once."""
    if importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None:
        return None
    folder.mkdir()
    submit = folder / "submit.sh"
    submit.write_text('bash "$1" > /dev/null 2>&1 &\necho $!\n')
    command = ["--executor", "cluster-generic", "--cluster-generic-submit-cmd", f"bash {submit}", "--jobs", cores]
    command += ["--seconds-between-status-checks", "1"]
    seconds = _snakemake(folder, NESTED, *command)
    return {"tasks": NESTED, "tasks_per_s": round(NESTED / seconds, 2), "total_s": round(seconds, 2)}


def _snakemake(folder: Path, tasks: int, *arguments: str) -> float:
    folder.mkdir(exist_ok=True)
    (folder / "Snakefile").write_text(SNAKEFILE.format(tasks=tasks))
    command = [str(Path(sys.executable).parent / "snakemake"), *arguments, "--scheduler", "greedy", "--quiet", "all"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode or len(list((folder / "out").iterdir())) != tasks:
        raise DeepRCError("the benchmark's workflow failed", found=done.stderr[-1000:])
    return time.monotonic() - started
