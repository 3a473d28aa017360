"""`deeprc bench pilot`: a workflow of short jobs by the pilot, and by Snakemake's local executor in the same run."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deeprc.bench.machine import describe
from deeprc.errors import DeepRCError

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
        `total_s`; `local`: `tasks_per_s`, `total_s`; `ratio_total` (pilot over local); `machine`.
    """
    with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as folder:
        pilot_s = _snakemake(Path(folder, "pilot"), tasks, "--executor", "radical-pilot", "--jobs", "1000000")
        (path,) = Path(folder, "pilot").glob(".deeprc/runs/*/events.jsonl")
        pilot = summarize([json.loads(line) for line in path.read_text().splitlines()])
        cores = str(len(os.sched_getaffinity(0)))
        local_s = _snakemake(Path(folder, "local"), tasks, "--executor", "local", "--cores", cores)
    return {
        "tasks": tasks,
        "pilot": {**pilot, "total_s": round(pilot_s, 2)},
        "local": {"tasks_per_s": round(tasks / local_s, 2), "total_s": round(local_s, 2)},
        "ratio_total": round(pilot_s / local_s, 2),
        "machine": describe(["deeprc", "radical.pilot", "snakemake"]),
    }


def summarize(events: list[dict]) -> dict:
    """The figures of one run from its events."""
    at = {e["state"]: e["time"] for e in events if e["event"] == "pilot"}
    jobs = sorted((e for e in events if e["event"] == "job" and e["state"] == "finished"), key=lambda e: e["start"])
    free: dict[int, float] = {}
    latency = []
    for job in jobs:
        idle = [free[core] for core in job["cores"] if core in free]
        if idle:
            latency.append(job["start"] - max(idle))
        free |= dict.fromkeys(job["cores"], job["stop"])
    busy = max(job["stop"] for job in jobs) - max(at["active"], min(job["submit"] for job in jobs))
    return {
        "startup_s": round(at["active"] - at["starting"], 2),
        "tasks_per_s": round(len(jobs) / busy, 2),
        "latency_median_s": round(statistics.median(latency), 3) if latency else None,
        "latency_p95_s": round(statistics.quantiles(latency, n=20, method="inclusive")[-1], 3)
        if len(latency) > 1
        else None,
        "close_s": round(at["closed"] - at["closing"], 2),
    }


def _snakemake(folder: Path, tasks: int, *arguments: str) -> float:
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE.format(tasks=tasks))
    command = [str(Path(sys.executable).parent / "snakemake"), *arguments, "--scheduler", "greedy", "--quiet", "all"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode or len(list((folder / "out").iterdir())) != tasks:
        raise DeepRCError("the benchmark's workflow failed", found=done.stderr[-1000:])
    return time.monotonic() - started
