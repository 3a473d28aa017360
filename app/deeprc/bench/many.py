"""`deeprc bench many`: workflows of many short jobs, jobs per second and what Snakemake's process takes for each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from deeprc.bench.machine import describe
from deeprc.bench.pilot import SNAKEFILE
from deeprc.core.errors import DeepRCError
from deeprc.core.events import JobEvent, PilotEvent, read
from deeprc.pilot import PACKAGES

LOOK = 0.25  # seconds between two looks at the process


def run(counts: Sequence[int], options: Sequence[str] = (), say: Callable[[str], None] = lambda line: None) -> dict:
    """Measure a workflow of each of these numbers of independent `touch` jobs, by the pilot.

    Parameters
    ----------
    options
        More words for Snakemake.

    Returns
    -------
    dict
        `runs`: each with `jobs`, `jobs_per_s` (over the whole run, with start and end), `busy_jobs_per_s` (from the
        first job's handing over, or the pilot's readiness, to the last one's end), `total_s`, `snakemake_cpu_ms` (of
        its own process, per job), `snakemake_peak_mb`, and `phases` (see `phases`); `load` of the machine as it began;
        `machine`.
    """
    load, rows = os.getloadavg()[0], []
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as folder:
            rows.append(_measure(Path(folder), count, options))
        say(f"{count:,} jobs: {rows[-1]['jobs_per_s']} a second, {rows[-1]['snakemake_cpu_ms']} ms of CPU each")
    return {"runs": rows, "load": round(load, 1), "machine": describe(["deeprc", *PACKAGES, "snakemake"])}


def _measure(folder: Path, count: int, options: Sequence[str]) -> dict:
    (folder / "Snakefile").write_text(SNAKEFILE.format(tasks=count))
    command = [str(Path(sys.executable).parent / "snakemake"), "--executor", "radical-pilot", "--jobs", "1000000"]
    command += ["--quiet", "all", *options]
    cpu, peak, began, epoch = 0.0, 0, time.monotonic(), time.time()
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        own = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                times = own.cpu_times()
                cpu, peak = max(cpu, times.user + times.system), max(peak, own.memory_info().rss)
            time.sleep(LOOK)
    total = time.monotonic() - began
    if process.returncode or len(list((folder / "out").iterdir())) != count:
        raise DeepRCError("the benchmark's workflow failed", found=(folder / "said").read_text()[-1000:])
    (path,) = folder.glob(".deeprc/runs/*/events.jsonl")
    events = [*read(path)]
    active = min(event.time for event in events if isinstance(event, PilotEvent) and event.state == "active")
    jobs = [event for event in events if isinstance(event, JobEvent) and event.state == "finished"]
    if len(jobs) != count:
        raise DeepRCError("a job was told as ended more or less than once", found=f"{len(jobs)} ends of {count} jobs")
    submitted = [event.time for event in events if isinstance(event, JobEvent) and event.state == "submitted"]
    busy = max(job.time for job in jobs) - max(active, min(job.submit for job in jobs))
    return {
        "jobs": count,
        "jobs_per_s": round(count / total, 1),
        "busy_jobs_per_s": round(count / busy, 1),
        "total_s": round(total, 1),
        "snakemake_cpu_ms": round(cpu / count * 1000, 2),
        "snakemake_peak_mb": round(peak / 2**20),
        "phases": phases(epoch, submitted, jobs, epoch + total),
    }


def phases(began: float, submitted: Sequence[float], jobs: Sequence[JobEvent], ended: float) -> dict[str, float]:
    """Where a run's seconds went: each phase ends where the next one begins, but for the jobs' own, which overlap.

    Returns
    -------
    dict
        `before` (until the first job is handed over), `handing_over` (to the last one's), `taking_in` (from then to the
        last job's end, as the executor has heard), `finishing` (until Snakemake's process has ended: its own notes of
        the last jobs, the pilot's end, files removed); `running`: from the first job's start to the last one's stop.
    """
    heard = max(job.time for job in jobs)
    return {
        "before": round(min(submitted) - began, 1),
        "handing_over": round(max(submitted) - min(submitted), 1),
        "taking_in": round(heard - max(submitted), 1),
        "finishing": round(ended - heard, 1),
        "running": round(max(job.stop for job in jobs) - min(job.start for job in jobs), 1),
    }
