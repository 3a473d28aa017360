"""What each rule asked for, what its jobs used of it, and what to ask for next time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from deeprc.reporting.events import Execution, Run

SHORT = 1.0  # seconds below which a job says nothing about cores
MEMORY, TIME = 1.2, 1.5  # times what was used that is asked for next time
LESS = 0.75  # of what was asked for: nothing is said of a smaller gain


@dataclass(frozen=True)
class RuleUse:
    """The jobs of a rule that went well; what is not known is None.

    Attributes
    ----------
    cores, gpus, memory_mb, minutes
        What one of them asked for, the largest; memory and minutes are None where it asked for none.
    core_hours, gpu_hours
        What all of them held.
    used_cores
        Cores that the busiest of them kept busy on average.
    efficiency
        CPU time as a part of the core time that they held.
    peak_mb
        The most memory that one of them had.
    longest
        Seconds of the longest.
    advice
        What to ask for next time; empty where nothing is to be gained.
    """

    rule: str
    jobs: int
    cores: int
    gpus: int
    memory_mb: int | None
    minutes: float | None
    core_hours: float
    gpu_hours: float
    used_cores: float | None
    efficiency: float | None
    peak_mb: float | None
    longest: float
    advice: list[str]


def by_rule(run: Run) -> list[RuleUse]:
    """A row for each rule, in the order in which they began."""
    tasks: dict[str, list[Execution]] = {}
    for task in sorted(run.tasks, key=lambda task: task.start):
        if not task.failed:
            tasks.setdefault(task.rule, []).append(task)
    return [_use(rule, done) for rule, done in tasks.items()]


def _use(rule: str, done: Sequence[Execution]) -> RuleUse:
    known = [task for task in done if task.cpu_seconds is not None and task.cores and task.seconds > 0]
    held = sum(len(task.cores) * task.seconds for task in known)
    busy = [task.cpu_seconds / task.seconds for task in known if task.seconds >= SHORT]
    peaks = [task.peak_mb for task in done if task.peak_mb is not None]
    cores, memory = max(len(task.cores) for task in done), max(task.memory_mb for task in done)
    minutes, longest = max(task.minutes for task in done), max(task.seconds for task in done)
    used, peak = max(busy, default=None), max(peaks, default=None)
    several = any(task.ranks > 1 for task in done)
    return RuleUse(
        rule=rule,
        jobs=len(done),
        cores=cores,
        gpus=max(task.gpus for task in done),
        memory_mb=memory or None,
        minutes=minutes or None,
        core_hours=sum(len(task.cores) * task.seconds for task in done) / 3600,
        gpu_hours=sum(task.gpus * task.seconds for task in done) / 3600,
        used_cores=used,
        efficiency=sum(task.cpu_seconds for task in known) / held if held else None,
        peak_mb=peak,
        longest=longest,
        advice=[*_cores(cores, used, several=several), *_memory(memory, peak), *_time(minutes, longest)],
    )


def _cores(asked: int, used: float | None, *, several: bool) -> list[str]:
    """Of several ranks, their number is for the user to choose."""
    if used is None or several:
        return []
    enough = max(1, math.ceil(used - 0.1))
    return [f"threads: {enough}"] if enough < asked else []


def _memory(asked: int, peak: float | None) -> list[str]:
    if not asked or peak is None:
        return []
    enough = max(100, math.ceil(peak * MEMORY / 100) * 100)
    return [f"mem_mb={enough}"] if enough <= asked * LESS or enough > asked else []


def _time(asked: float, longest: float) -> list[str]:
    if not asked:
        return []
    enough = max(1, math.ceil(longest * TIME / 60))
    return [f"runtime={enough}"] if enough <= asked * LESS else []
