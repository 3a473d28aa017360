"""Which of a run's pilots a job goes to, and how many pilots there are to be: pure logic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from snakemake_executor_plugin_radical_pilot.resources import Request

FULL = 2.0  # times what it can run at once that a pilot is handed: the next jobs are there when others end


@dataclass(frozen=True)
class PilotRoom:
    """What a pilot of some shape has in all; `memory_mb` 0 where nobody has told."""

    cores: int
    gpus: int = 0
    memory_mb: int = 0


@dataclass(frozen=True)
class PilotLoad:
    """One pilot: how much of it the jobs that it has take, in parts of what it has; whether it runs jobs; the seconds
    that it may still live; and whether it takes jobs at all.
    """

    share: float
    active: bool
    remaining: float
    open: bool = True


def share(asked: Request, room: PilotRoom) -> float:
    """The part of a pilot that a job takes: of cores, accelerators or memory, of which it takes most."""
    pairs = ((asked.cores, room.cores), (asked.gpus, room.gpus), (asked.memory_mb, room.memory_mb))
    return max((need / there for need, there in pairs if need and there), default=0.0)


def preferred(asked: Request, rooms: Sequence[PilotRoom]) -> list[int]:
    """The numbers of the shapes, in the order in which they are tried for a job: as they stand in the list, but for
    jobs without accelerators those that have some come last.
    """
    wasted = [bool(room.gpus) and not asked.gpus for room in rooms]
    return sorted(range(len(rooms)), key=lambda number: (wasted[number], number))


def wanted(outstanding: float, least: int, most: int) -> int:
    """How many pilots of a shape there are to be, where its jobs take `outstanding` of them at once."""
    return max(least, min(most, math.ceil(outstanding - 1e-9)))


def pick(part: float, seconds: float, loads: Sequence[PilotLoad]) -> int | None:
    """The number of the pilot that is handed a job next; None where it is to wait.

    That is the one with the least to do, of those that run jobs; where none does, one that is on its way, as much as
    it can run at once. None is handed a job that it would not live to see the end of.

    Parameters
    ----------
    part
        What the job takes of a pilot.
    seconds
        How long it may take at most; 0 where that is not said.
    """
    running = any(load.active and load.open for load in loads)
    top = FULL if running else 1.0
    fits = [
        number
        for number, load in enumerate(loads)
        if load.open
        and load.active == running
        and seconds <= load.remaining
        and (not load.share or load.share + part <= top + 1e-9)
    ]
    return min(fits, key=lambda number: (loads[number].share, number), default=None)


def surplus(idle: Sequence[float], least: int, limit: float) -> list[int]:
    """The numbers of the pilots of a shape that are to end: idle for longer than `limit` seconds, the longest first, as
    many as leave `least`.

    Parameters
    ----------
    idle
        Of each pilot the seconds since when it has nothing to do; negative where it has.
    """
    late = sorted((number for number, since in enumerate(idle) if since > limit), key=lambda number: -idle[number])
    return late[: max(0, len(idle) - least)]
