"""`deeprc bench pipeline`: each way makes the whole workflow in turns, from the same prepared folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from deeprc.bench.contest import load
from deeprc.bench.machine import describe
from deeprc.bench.pipeline import bare
from deeprc.bench.told import told
from deeprc.bench.ways import SAID, compared, figures, in_turns, same, snakemake, told_by
from deeprc.core.errors import ConfigError, DeepRCError, unknown
from deeprc.pilot import PACKAGES
from deeprc.sites.load import file_of, known_sites

BARE = ("one", "many")
RESULT = Path("results/metrics.json")
VERSIONS = ("deeprc", *PACKAGES, "snakemake", "torch", "tensorflow-cpu")


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
        `jobs`, `options`; `ways`: of each its `seconds` (`median`, `turns`), and `failures`, what failed turns said; of
        a site also `bound_s` (its jobs' own seconds, on all cores without a gap: nothing can be faster), `over_bound`
        and `ready_s` (from the pilot's readiness on). `ratios`: of each pair the turns' ratios. `same`: whether all
        turns came to the same metrics, byte by byte; `load` of the machine as it began; `machine`.

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
    busy = load()
    with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as temporary:
        start = Path(temporary, "start")
        jobs = _prepared(start, sites[0], options)
        say(f"{len(jobs)} jobs; {', '.join(ways)} in turns, {repeats} of each")

        def one(way: str, turn: int) -> dict:
            folder = Path(temporary, f"{way}-{turn}")
            shutil.copytree(start, folder, symlinks=True)
            try:
                return _turn(way, folder, jobs, options)
            finally:
                shutil.rmtree(folder)

        took = in_turns(ways, repeats, one, say)
    return {
        "jobs": len(jobs),
        "options": [*options],
        "ways": {way: figures(each) for way, each in took.items()},
        "ratios": compared(took),
        "same": same(took),
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
    snakemake(folder, [*_profile(site, options), "--omit-from", *rules])
    (folder / SAID).unlink()
    return jobs


def _profile(site: str, options: Sequence[str]) -> list[str]:
    return ["--profile", str(file_of(site).parent.absolute()), *options]


def _turn(way: str, folder: Path, jobs: Sequence[dict], options: Sequence[str]) -> dict:
    """One way, once: `seconds` and `result`, or how it `failed`."""
    began = time.monotonic()
    try:
        if way in BARE:
            bare.run(jobs, folder, 1 if way == "one" else len(os.sched_getaffinity(0)))
        else:
            snakemake(folder, _profile(way, options))
        seconds = time.monotonic() - began
        result = (folder / RESULT).read_bytes()
    except (DeepRCError, OSError) as error:
        return {"failed": str(error)}
    turn = {"seconds": seconds, "result": result} | ({} if way in BARE else _told_by(folder))
    return turn | ({} if way in BARE else {"over_bound": seconds / turn["bound_s"]})


def _told_by(folder: Path) -> dict:
    """What the events of a run say: the bound, and the seconds from the pilot's readiness to the last job's end."""
    active, jobs = told_by(folder)
    own = sum((job.stop - job.start) * len(job.cores) for job in jobs)
    return {
        "bound_s": own / len(os.sched_getaffinity(0)),
        "ready_s": max(job.stop for job in jobs) - active,
    }
