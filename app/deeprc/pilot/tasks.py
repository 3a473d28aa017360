"""What a pilot is given to run, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What a worker holds: cores, accelerators, and imported modules; it runs the jobs that ask for just these."""

    cores: int = 1
    gpus: int = 0
    warm: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A command that the pilot runs on `ranks` ranks.

    Attributes
    ----------
    warm
        Modules that are to be imported already where the command calls `python` (one rank only).
    timeout
        Seconds after which it is ended.
    sample
        The file for the figures of a benchmark (one rank only).
    """

    uid: str
    argv: list[str]
    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0
    warm: tuple[str, ...] = ()
    timeout: float | None = None
    sample: str | None = None

    @property
    def shape(self) -> Shape:
        """What each of its ranks needs."""
        return Shape(self.cores_per_rank, self.gpus_per_rank, self.warm)


@dataclass(frozen=True)
class Outcome:
    """How a task ended: DONE, FAILED, CANCELED, or LOST: what ran it has ended, which says nothing of the task itself.

    `cores` are the (node, core) pairs that it had.
    """

    uid: str
    state: str
    code: int | None
    cores: list[tuple[str, int]]
    reason: str | None
