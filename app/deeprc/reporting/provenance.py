"""Where the numbers come from: run.json."""

from __future__ import annotations

import datetime
import os
import platform
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from deeprc.core import needs
from deeprc.core.errors import DeepRCError
from deeprc.core.events import RunImage
from deeprc.core.files import sha256
from deeprc.core.fingerprint import KEY
from deeprc.core.masking import masked, masked_words
from deeprc.core.shipped import installed
from deeprc.images.held import named
from deeprc.reporting.breakdown import breakdown, node_hours
from deeprc.reporting.chain import chain, largest_loss
from deeprc.reporting.efficiency import by_rule
from deeprc.reporting.events import Execution, Run
from deeprc.reporting.parts import parts
from deeprc.sites import detect, known_sites, site_file

PACKAGES = [
    "deeprc",
    "snakemake",
    "snakemake-interface-executor-plugins",
    "mpi4py",
    "mpich",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
]
DRAWN = ["plotly", "jinja2"]  # told after those of the applications
PLACES = 3  # decimals of seconds


def provenance(
    runs: list[Run], tasks: Iterable[Execution], *, data: list[dict], config: object, site: Path | None
) -> dict:
    """What ran where, with which versions, and where the time went.

    Parameters
    ----------
    runs
        All recorded runs, the oldest first; the newest one's times are broken down.
    tasks
        The latest execution of each stage, whichever run it was in.
    data
        The files that were read: `pipeline`, `file`, `sha256`.
    config
        The workflow's configuration.
    site
        The site file; where it is left out, the one of the newest run's site.
    """
    run, tasks = runs[-1] if runs else None, list(tasks)
    return {
        "run": run.id if run else None,
        "site": site_of(run, site),
        "host": run.host if run else socket.gethostname(),
        "machine": machine(),
        "command": masked_words(run.command) if run else [],
        "git": commit(Path(__file__).parent),
        "versions": versions() | (run.versions if run else {}),
        "images": images(tasks),
        "data": data,
        "config": masked(config),
        "overhead": overhead(run) if run else None,
        "tasks": [task_row(task) for task in tasks],
    }


def site_of(run: Run | None, file: Path | None) -> dict | None:
    """The site's name, its file and the file's SHA-256; None where the workflow ran without a site."""
    if file is None and run is not None:
        try:
            file = site_file(run.site) if run.site in known_sites() else None
        except DeepRCError:  # rendered elsewhere than it ran
            file = None
    known = file is not None and file.is_file()
    name = run.site if run else file.absolute().parent.name if known else None
    if name is None:
        return None
    return {"name": name, "file": str(file) if known else None, "sha256": sha256(file) if known else None}


def machine() -> dict:
    """This machine: the processor's name, its cores, the memory (MB) that this process may use, the system."""
    try:
        rows = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        rows = []
    names = (row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    return {
        "cpu": next(names, platform.processor() or platform.machine()),
        "cores": os.cpu_count(),  # not this process's, which may be a job of one core
        "memory_mb": detect.memory_mb(),
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that the pipelines use, as far as they are installed."""
    return {"python": platform.python_version(), **installed([*PACKAGES, *needs.packages(), *DRAWN])}


def commit(folder: Path) -> dict | None:
    """The git commit of the checkout that `folder` is tracked in, and whether tracked files differ from it, or None."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # Tracked: an installation below somebody else's checkout (its .venv) is not part of it.
    if not git("ls-files", "--", "."):
        return None
    return {"commit": git("rev-parse", "HEAD"), "changed": bool(git("status", "--porcelain", "--untracked-files=no"))}


def measured_on(packages: Iterable[str]) -> dict:
    """What a figure was measured on: machine, day, commit (`+`: files differ from it), versions of `packages`."""
    found = commit(Path(__file__).parent)
    return {
        **machine(),
        "python": platform.python_version(),
        "versions": installed(packages),
        "date": datetime.date.today().isoformat(),
        "commit": found and found["commit"] + "+" * found["changed"],
    }


def overhead(run: Run) -> dict:
    """The breakdown of the run's time, seconds; `until_report` is true where the run was not over yet."""
    whole = breakdown(run)
    return {
        "total": round(whole.total, PLACES),
        "until_report": not run.over,
        **spent(run),
        "phases": {name: round(seconds, PLACES) for name, seconds in whole.phases.items()},
        "tasks": whole.tasks,
        "waits": {name: round(seconds, PLACES) for name, seconds in asdict(whole.waits).items()},
        "cores": run.cores,
        "pilots": [asdict(place) for place in run.places] if run.told else None,
        "node_hours": None if (hours := node_hours(run)) is None else round(hours, 6),
        "rules": [_rounded(asdict(use)) for use in by_rule(run)],
        "core_utilisation": None if whole.utilisation is None else round(whole.utilisation, 4),
    }


def spent(run: Run) -> dict:
    """Where the time of a run went: its parts in seconds, the chain of jobs that it stands on, the largest loss, and
    the energy.
    """
    found, links, told = parts(run), chain(run), run.energy
    return {
        "parts": {name: round(seconds, PLACES) for name, seconds in found.items()},
        "chain": links and [_rounded(asdict(link)) for link in links],
        "loss": largest_loss(found, links) if found else None,
        "energy": told and {"joules": told.joules, "of": told.of, "why": told.why},
    }


def _rounded(row: dict) -> dict:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}


def image(task: Execution) -> RunImage | None:
    """What a task ran in, else what the file in its launch line is called."""
    found = (RunImage(variant=name[0], digest=name[1]) for word in task.argv if (name := named(word)))
    return task.image or next(found, None)


def images(tasks: Iterable[Execution]) -> list[dict]:
    """Each image that tasks ran in, and the labels of these tasks."""
    found: dict[RunImage, list[str]] = {}
    for task in tasks:
        if each := image(task):
            found.setdefault(each, []).append(task.label)
    return [asdict(each) | {"stages": labels} for each, labels in found.items()]


def task_row(task: Execution) -> dict:
    """One task, as run.json tells it."""
    row, within = asdict(task), image(task)
    kept = ("run", "label", "rule", "wildcards", "attempt", "ranks", "cores", "nodes", "command", "argv")
    return {key: row[key] for key in (*kept, "output", "log")} | {
        "image": within and asdict(within),
        "exit": task.exit,
        "submit": task.submit,
        "start": task.start,
        "stop": task.stop,
        "seconds": round(task.seconds, PLACES),
    }


def used(config: object, metrics: dict[str, dict], options: Mapping[str, Callable[[dict], dict]]) -> object:
    """The configuration with the values that were used, defaults included, as far as the results tell them.

    Parameters
    ----------
    config
        The workflow's configuration.
    metrics
        The metrics by pipeline, with what they were `made_from` (`deeprc.core.fingerprint`).
    options
        For each pipeline, how what it was trained with stands in the configuration; not for those that were swept.
    """
    if not isinstance(config, dict):
        return config
    found = dict(config)
    for pipeline, told in metrics.items():
        if pipeline not in options:  # a sweep, which used many
            continue
        made_from = told.get(KEY) or {}
        trained = options[pipeline](made_from.get("train") or {})
        section = {
            **(found.get(pipeline) or {}),
            **(made_from.get("prepare") or {}),
            **trained,
            **(made_from.get("infer") or {}),
        }
        for key, value in section.items():
            if value is None and told.get(key) is not None:  # the data set's own: the results say which
                section[key] = list(told[key]) if isinstance(told[key], dict) else told[key]
        if section:
            found[pipeline] = section
    return found


def data_files(pipeline: str, check: dict) -> list[dict]:
    """The files named with their SHA-256 in what the stage check wrote, at whatever depth: a string or a mapping."""
    found: list[dict] = []

    def walk(value: dict) -> None:
        for key, inner in value.items():
            if key == "sha256" and isinstance(inner, str):
                found.append({"pipeline": pipeline, "file": value.get("file", value.get("path")), "sha256": inner})
            elif key == "sha256" and isinstance(inner, dict):
                known = {file: hash_ for file, hash_ in inner.items() if isinstance(hash_, str)}
                found.extend({"pipeline": pipeline, "file": file, "sha256": hash_} for file, hash_ in known.items())
            elif isinstance(inner, dict):
                walk(inner)

    walk(check)
    return found
