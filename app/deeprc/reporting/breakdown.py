"""Where a run's time went: phases of the wall clock, and what each task waited for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deeprc.reporting.events import Execution, Run

STATES = ("starting", "active", "closing", "closed")
PHASES = (
    "workflow start", "pilot start-up", "tasks running", "no task running", "pilot close", "between pilots",
    "after the pilot",
)  # fmt: skip


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
    spans = [(task.start, task.stop) for task in run.tasks]
    phases = dict.fromkeys(PHASES, 0.0)
    reached, worked, offered = run.begin, 0.0, 0.0
    for number, (starting, active, closing, closed) in enumerate(pilots(run)):
        busy = covered(spans, active, closing)
        phases["between pilots" if number else "workflow start"] += starting - reached
        phases["pilot start-up"] += active - starting
        phases["tasks running"] += busy
        phases["no task running"] += closing - active - busy
        phases["pilot close"] += closed - closing
        worked += sum(len(task.cores) * _overlap(task, active, closing) for task in run.tasks)
        offered += run.cores * (closing - active)
        reached = closed
    phases["after the pilot" if run.pilots else "workflow start"] += run.end - reached
    parts = waits(run)
    return Breakdown(
        total=run.end - run.begin,
        phases={name: seconds for name, seconds in phases.items() if seconds > 0},
        waits=Waits(*(sum(getattr(w, name) for w in parts) for name in ("pilot", "cores", "launch", "run"))),
        tasks=len(run.tasks),
        utilisation=worked / offered if offered > 0 else None,
    )


def pilots(run: Run) -> list[tuple[float, float, float, float]]:
    """When each pilot was asked for, became active, was being closed and had ended; what was not told came last."""
    found, reached = [], run.begin
    limits = [*(pilot.get("starting", run.end) for pilot in run.pilots[1:]), run.end]
    for pilot, limit in zip(run.pilots, limits, strict=False):
        times = []
        for state in STATES:  # a state that was never told: the next one that was, or the end, is where it would be
            later = [pilot[other] for other in STATES[STATES.index(state) :] if other in pilot]
            reached = max(reached, later[0] if later else limit)
            times.append(reached)
        found.append(tuple(times))
    return found


def waits(run: Run) -> list[Waits]:
    """What each task of the run waited for, in the pilot that was up when it began."""
    ups = [active for _, active, _, _ in pilots(run)]
    found = []
    for task in run.tasks:
        up = max((each for each in ups if each <= task.start), default=min(ups, default=run.begin))
        found.append(wait(task, up, run.tasks))
    return found


def wait(task: Execution, active: float, tasks: Iterable[Execution]) -> Waits:
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


def _overlap(task: Execution, begin: float, end: float) -> float:
    return max(0.0, min(task.stop, end) - max(task.start, begin))
