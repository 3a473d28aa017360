"""`deeprc bench pipeline`: each way makes the whole workflow in turns, from the same prepared folder."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deeprc.bench.contest import load, ratios
from deeprc.bench.machine import describe
from deeprc.bench.pipeline import bare
from deeprc.bench.told import told
from deeprc.core.errors import ConfigError, DeepRCError, unknown
from deeprc.core.events import JobEvent, PilotEvent, read
from deeprc.pilot import PACKAGES
from deeprc.sites.load import file_of, known_sites

BARE = ("one", "many")
RESULT = Path("results/metrics.json")
VERSIONS = ("deeprc", *PACKAGES, "snakemake", "torch", "tensorflow-cpu")
LINES = 8  # of what Snakemake says of a run that failed


def run(ways: Sequence[str], repeats: int, options: Sequence[str], say: Callable[[str], None]) -> dict:
    """Measure.

    Parameters
    ----------
    ways
        `one`: the commands one after another in fresh processes; `many`: as many of them at once as there are cores;
        or the name of a site of this machine: by Snakemake and its pilot, all of the start included. The first site
        says what the commands are.
    repeats
        Turns of each way; the order is another one in every second turn.
    options
        More words for Snakemake, such as `--configfile mine.yaml`.

    Returns
    -------
    dict
        `ways`: of each its `seconds` (`median`, `turns`), and `failures`, what failed turns said; of a site also
        `bound_s` (its jobs' own seconds, on all cores without a gap: nothing can be faster), `over_bound` and
        `ready_s` (from the pilot's readiness on). `ratios`: of each pair the turns' ratios. `same`: whether all turns
        came to the same metrics, byte by byte; `load` of the machine as it began; `machine`.

    Raises
    ------
    ConfigError
        For a way that is not known, or where none of them is a site.
    """
    sites = [way for way in ways if way not in BARE]
    for way in sites:
        if way not in known_sites():
            raise unknown("way", way, [*BARE, *known_sites()])
    if not sites:
        raise ConfigError("no site among the ways", found=", ".join(ways) or "none", expected="such as --way localhost")
    busy, took = load(), {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as temporary:
        start = Path(temporary, "start")
        jobs = _prepared(start, sites[0], options)
        say(f"{len(jobs)} jobs; {', '.join(ways)} in turns, {repeats} of each")
        for turn in range(repeats):
            for way in ways if turn % 2 == 0 else reversed(ways):
                folder = Path(temporary, f"{way}-{turn}")
                shutil.copytree(start, folder, symlinks=True)
                took[way].append(_turn(way, folder, jobs, options))
                shutil.rmtree(folder)
                last = took[way][-1]
                say(f"turn {turn + 1}, {way}: " + (last.get("failed") or f"{last['seconds']:.1f} s"))
    results = {one["result"] for each in took.values() for one in each if "result" in one}
    pairs = [(way, other) for number, way in enumerate(ways) for other in ways[number + 1 :]]
    return {
        "jobs": len(jobs),
        "ways": {way: _figures(each) for way, each in took.items()},
        "ratios": {f"{other} / {way}": ratio for way, other in pairs if (ratio := _ratio(took[other], took[way]))},
        "same": len(results) == 1,
        "load": round(busy, 1),
        "machine": describe(VERSIONS),
    }


def _prepared(folder: Path, site: str, options: Sequence[str]) -> list[dict]:
    """The jobs for the pilot; in the folder is what the others make, which Snakemake itself runs (data, checks)."""
    folder.mkdir()
    jobs = told(_profile(site, options), where=f"site {site}", folder=folder)["jobs"]
    rules = sorted({job["rule"] for job in jobs})
    if without := next((job for job in jobs if job["command"] is None), None):
        raise DeepRCError("a job without a command of its own cannot run without Snakemake", found=without["label"])
    _snakemake(folder, [*_profile(site, options), "--omit-from", *rules])
    (folder / bare.SAID).unlink()
    return jobs


def _profile(site: str, options: Sequence[str]) -> list[str]:
    return ["--profile", str(file_of(site).parent.absolute()), *options]


def _snakemake(folder: Path, arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "snakemake", *arguments]
    with (folder / bare.SAID).open("w") as said:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    if done.returncode:
        lines = [line for line in (folder / bare.SAID).read_text(errors="replace").splitlines() if line.strip()]
        raise DeepRCError(f"Snakemake failed (exit {done.returncode})", found="\n    ".join(lines[-LINES:]))


def _turn(way: str, folder: Path, jobs: Sequence[dict], options: Sequence[str]) -> dict:
    """One way, once: `seconds` and `result`, or how it `failed`."""
    began = time.monotonic()
    try:
        if way in BARE:
            bare.run(jobs, folder, 1 if way == "one" else len(os.sched_getaffinity(0)))
        else:
            _snakemake(folder, _profile(way, options))
        seconds = time.monotonic() - began
        result = (folder / RESULT).read_bytes()
    except (DeepRCError, OSError) as error:
        return {"failed": str(error)}
    return {"seconds": seconds, "result": result} | ({} if way in BARE else _told_by(folder))


def _told_by(folder: Path) -> dict:
    """What the events of a run say: the bound, and the seconds from the pilot's readiness to the last job's end."""
    (path,) = folder.glob(".deeprc/runs/*/events.jsonl")
    events = [*read(path)]
    active = min(event.time for event in events if isinstance(event, PilotEvent) and event.state == "active")
    jobs = [event for event in events if isinstance(event, JobEvent) and event.state == "finished"]
    own = sum((job.stop - job.start) * len(job.cores) for job in jobs)
    return {
        "bound_s": own / len(os.sched_getaffinity(0)),
        "ready_s": max(job.stop for job in jobs) - active,
    }


def _figures(turns: Sequence[dict]) -> dict:
    well = [turn for turn in turns if "seconds" in turn]
    figures: dict = {"failures": [turn["failed"] for turn in turns if "failed" in turn]}
    if well:
        seconds = [round(turn["seconds"], 2) for turn in well]
        figures["seconds"] = {"median": statistics.median(seconds), "turns": seconds}
    if well and "bound_s" in well[0]:
        figures |= {key: round(statistics.median(turn[key] for turn in well), 2) for key in ("bound_s", "ready_s")}
        figures["over_bound"] = round(statistics.median(turn["seconds"] / turn["bound_s"] for turn in well), 2)
    return figures


def _ratio(first: Sequence[dict], second: Sequence[dict]) -> dict | None:
    pairs = [pair for pair in zip(first, second, strict=True) if all("seconds" in turn for turn in pair)]
    return ratios(pairs) if pairs else None
