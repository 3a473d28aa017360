"""`deeprc bench gangs`: short jobs of several ranks, by gangs and each started by the launcher, on one pilot."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from deeprc.bench.machine import describe
from deeprc.core.errors import DeepRCError
from deeprc.core.threads import variables
from deeprc.pilot import PACKAGES, Allocation, Pilot, Task
from deeprc.pilot.worker import surroundings
from deeprc.sites import load_site

# What each rank does: it imports, and takes part in one collective call.
PROGRAM = "from mpi4py import MPI; import numpy; assert MPI.COMM_WORLD.allreduce(1) == {ranks}"
WARM = ("mpi4py.MPI", "numpy")
SECONDS = 600  # that the jobs of one way may take


def run(jobs: int, cold: int, ranks: int) -> dict:
    """Measure `jobs` jobs of `ranks` ranks by gangs, and `cold` of the same by the launcher.

    Returns
    -------
    dict
        `gang`: `first_s` (of the first job, with the start of its gang), `jobs_per_s` (of the others), `gangs`
        (how many were started); `launcher`: `jobs_per_s`; `ratio`; `load`: that of the machine as it began; `machine`.
    """
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="deeprc-bench-") as name:
        folder = Path(name)
        environment = folder / "environment"
        path = os.fsencode(f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        environment.write_bytes(surroundings.dump({**os.environb, b"PATH": path}))
        pilot = Pilot(Allocation(load_site("localhost"), runtime=30), folder / "pilot", image="none")
        pilot.start()
        try:
            command = f"python -c {shlex.quote(PROGRAM.format(ranks=ranks))}"
            task = Task(
                "", ["/bin/bash", "-c", command], ranks, environment=str(environment),
                variables={**variables(1), "DEEPRC_RANKS": str(ranks)},
            )  # fmt: skip
            _timed(pilot, [replace(task, uid="ready", ranks=1)], folder)  # the pilot's own start is not measured
            first = _timed(pilot, [replace(task, uid="first", warm=WARM)], folder)
            warm = _timed(pilot, [replace(task, uid=f"warm.{i}", warm=WARM) for i in range(jobs)], folder)
            gangs = len(list(folder.glob("pilot/tasks/gang.*")))
            by_surroundings = [sys.executable, "-IS", surroundings.__file__, str(environment), *task.argv]
            launched = replace(task, argv=by_surroundings)
            launcher = _timed(pilot, [replace(launched, uid=f"cold.{i}") for i in range(cold)], folder)
        finally:
            pilot.close()
    return {
        "ranks": ranks,
        "gang": {"jobs": jobs, "first_s": round(first, 2), "jobs_per_s": round(jobs / warm, 1), "gangs": gangs},
        "launcher": {"jobs": cold, "jobs_per_s": round(cold / launcher, 2)},
        "ratio": round(jobs / warm / (cold / launcher), 1),
        "load": round(load, 1),
        "machine": describe(["deeprc", *PACKAGES, "mpi4py", "mpich"]),
    }


def _timed(pilot: Pilot, tasks: list[Task], folder: Path) -> float:
    """Seconds in which these jobs run; each is told as ended once, and well."""
    made = []
    for task in tasks:
        own = folder / task.uid
        own.mkdir()
        warm = task.warm or task.ranks == 1
        made.append(replace(task, folder=str(own), workdir=str(own) if warm else None))
    if tasks[0].ranks == 1:
        made = [replace(task, argv=["/bin/true"]) for task in made]
    began, ended = time.monotonic(), []
    pilot.submit(made)
    while len(ended) < len(made) and not pilot.allocation.ended and time.monotonic() - began < SECONDS:
        ended += pilot.outcomes()
        time.sleep(0.002)
    if wrong := [outcome for outcome in ended if outcome.state != "DONE"]:
        raise DeepRCError("a job of the benchmark failed", found=str(wrong[0]))
    if sorted(outcome.uid for outcome in ended) != sorted(task.uid for task in tasks):
        raise DeepRCError("the jobs of the benchmark did not all end", found=pilot.allocation.why)
    return time.monotonic() - began
