"""Where a run's time went: phases of the wall clock, and what each task waited for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

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
    spans, found = [(task.start, task.stop) for task in run.tasks], pilots(run)
    phases = dict.fromkeys(PHASES, 0.0)
    edges = sorted({run.begin, run.end, *(time for times in found for time in times)})
    for begin, end in pairwise(edges):
        name = _phase(begin, end, found)
        busy = covered(spans, begin, end) if name == "no task running" else 0.0
        phases["tasks running"] += busy
        phases[name] += end - begin - busy
    places = [place.cores for place in run.places] if run.told else [run.cores] * len(found)
    offered = sum(
        (cores or 0) * (closing - active) for cores, (_, active, closing, _) in zip(places, found, strict=True)
    )
    up = [(active, closing) for _, active, closing, _ in found]
    worked = sum(len(task.cores) * covered(up, task.start, task.stop) for task in run.tasks)
    parts = waits(run)
    return Breakdown(
        total=run.end - run.begin,
        phases={name: seconds for name, seconds in phases.items() if seconds > 0},
        waits=Waits(*(sum(getattr(w, name) for w in parts) for name in ("pilot", "cores", "launch", "run"))),
        tasks=len(run.tasks),
        utilisation=worked / offered if offered > 0 else None,
    )


def pilots(run: Run) -> list[tuple[float, float, float, float]]:
    """When each pilot was asked for, became active, was being closed and had ended; what was not told came last.

    Of pilots without names, which follow each other, one has ended at the latest when the next one is asked for.
    """
    found, reached = [], run.begin
    limits = [*(pilot.get("starting", run.end) for pilot in run.pilots[1:]), run.end]
    for pilot, limit in zip(run.pilots, [run.end] * len(limits) if run.told else limits, strict=False):
        times = []
        reached = run.begin if run.told else reached
        for state in STATES:  # a state that was never told: the next one that was, or the end, is where it would be
            later = [pilot[other] for other in STATES[STATES.index(state) :] if other in pilot]
            reached = max(reached, later[0] if later else limit)
            times.append(reached)
        found.append(tuple(times))
    return found


def node_hours(run: Run) -> float | None:
    """Node-hours of all pilots, from when each took tasks to its end; None where their nodes are not told."""
    if not run.told or any(place.nodes is None for place in run.places):
        return None
    times = zip(run.places, pilots(run), run.pilots, strict=True)
    return (
        sum(place.nodes * (closed - active) for place, (_, active, _, closed), told in times if "active" in told) / 3600
    )


def _phase(begin: float, end: float, found: list[tuple[float, float, float, float]]) -> str:
    """What a time is called in which no pilot changes its state; of several states at once, the most useful one."""
    if any(active <= begin and end <= closing for _, active, closing, _ in found):
        return "no task running"
    if any(starting <= begin and end <= active for starting, active, _, _ in found):
        return "pilot start-up"
    if any(closing <= begin and end <= closed for _, _, closing, closed in found):
        return "pilot close"
    if all(end <= starting for starting, *_ in found):
        return "workflow start"
    return "after the pilot" if all(closed <= begin for *_, closed in found) else "between pilots"


def waits(run: Run) -> list[Waits]:
    """What each task of the run waited for, in its pilot, or where that is not told, in the one that was up then."""
    ups = [active for _, active, _, _ in pilots(run)]
    named = {place.name: active for place, active in zip(run.places, ups, strict=True)} if run.told else {}
    found, stops = [], ends(run.tasks)
    for task in run.tasks:
        up = max((each for each in ups if each <= task.start), default=min(ups, default=run.begin))
        found.append(_wait(task, named.get(task.pilot, up), stops))
    return found


def wait(task: Execution, active: float, tasks: Iterable[Execution]) -> Waits:
    """What `task` waited for, in a pilot that was up at `active` and ran `tasks`."""
    return _wait(task, active, ends(tasks))


def ends(tasks: Iterable[Execution]) -> dict[tuple[str, int], list[float]]:
    """When tasks ended on each core, the first one first."""
    found: dict[tuple[str, int], list[float]] = {}
    for task in sorted(tasks, key=lambda task: task.stop):
        for place in task.places:
            found.setdefault(place, []).append(task.stop)
    return found


def _wait(task: Execution, active: float, stops: dict[tuple[str, int], list[float]]) -> Waits:
    upto = [(stops.get(place, []), bisect_right(stops.get(place, []), task.start)) for place in task.places]
    before = [each[at - 1] for each, at in upto if at]  # its own end, where it took no time, changes nothing
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
