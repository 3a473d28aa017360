"""Where a run's time went: phases of the wall clock, and what each task waited for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deeprc.reporting.events import Run, Task


@dataclass(frozen=True)
class Waits:
    """The seconds of one task between its submission and its end; they add up to `stop - submit`.

    Attributes
    ----------
    pilot
        From the submission until the pilot was up.
    cores
        Then until the last of its cores was free: other tasks ran there.
    launch
        Then until its command began: scheduling and launching.
    run
        The command itself.
    """

    pilot: float
    cores: float
    launch: float
    run: float


@dataclass(frozen=True)
class Breakdown:
    """The wall clock of a run.

    Attributes
    ----------
    phases
        Seconds by phase; they add up to `total`, from the start of the workflow to its last event.
    waits
        The sums over all tasks of what each waited for (see `Waits`).
    utilisation
        Core seconds in which a task ran, as a part of all core seconds from the pilot's start to the last event; None
        without a pilot.
    """

    total: float
    phases: dict[str, float]
    waits: Waits
    tasks: int
    utilisation: float | None


def breakdown(run: Run) -> Breakdown:
    """The breakdown of `run`."""
    starting = run.pilot.get("starting", run.end)
    active = run.pilot.get("active", max(starting, run.end))
    closing = run.pilot.get("closing", max(active, run.end))
    closed = run.pilot.get("closed", max(closing, run.end))
    busy = covered([(task.start, task.stop) for task in run.tasks], active, closing)
    phases = {
        "workflow start": starting - run.begin,
        "pilot start-up": active - starting,
        "tasks running": busy,
        "no task running": closing - active - busy,
        "pilot close": closed - closing,
        "after the pilot": run.end - closed,
    }
    waits = [wait(task, active, run.tasks) for task in run.tasks]
    worked = sum(len(task.cores) * _overlap(task, active, closing) for task in run.tasks)
    offered = run.cores * (closing - active)
    return Breakdown(
        total=run.end - run.begin,
        phases={name: seconds for name, seconds in phases.items() if seconds > 0},
        waits=Waits(*(sum(getattr(w, name) for w in waits) for name in ("pilot", "cores", "launch", "run"))),
        tasks=len(run.tasks),
        utilisation=worked / offered if offered > 0 else None,
    )


def wait(task: Task, active: float, tasks: Iterable[Task]) -> Waits:
    """What `task` waited for, in a pilot that was up at `active` and ran `tasks`."""
    own = set(task.places)
    before = [t.stop for t in tasks if t is not task and t.stop <= task.start and own & set(t.places)]
    up = min(max(task.submit, active), task.start)
    free = min(max(up, *before), task.start) if before else up
    return Waits(up - task.submit, free - up, task.start - free, task.seconds)


def covered(spans: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """Seconds between `begin` and `end` that at least one of the spans covers."""
    total, reached = 0.0, begin
    for start, stop in sorted(spans):
        start, stop = max(start, reached), min(stop, end)
        if stop > start:
            total += stop - start
            reached = stop
    return total


def _overlap(task: Task, begin: float, end: float) -> float:
    return max(0.0, min(task.stop, end) - max(task.start, begin))
