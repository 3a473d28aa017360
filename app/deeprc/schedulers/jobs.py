"""What passes between a batch system and whoever asks it about jobs: a request, a remark, an end, what a job holds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """The request for a job, in a site's numbers.

    Attributes
    ----------
    options
        The site's options for it, filled in, as they stand in the file: each may be several words of shell.
    nodes
        How many it has.
    slots
        Processors of a node, as batch systems count them: usable cores times hardware threads.
    gpus
        Accelerators of a node.
    launcher
        What the site starts ranks with.
    facts
        The site file's keys of this batch system alone (`Scheduler.facts`).
    everywhere
        The site's options for any of its partitions, as they stand in the file.
    """

    options: Sequence[str]
    nodes: int
    slots: int
    gpus: int = 0
    launcher: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    everywhere: Sequence[str] = ()

    @property
    def words(self) -> list[str]:
        """The options as words of a command."""
        return [word for option in self.options for word in shlex.split(option)]


@dataclass(frozen=True)
class Remark:
    """One value of the site file, compared with what is here. `same` is None where that cannot be known; `grave` means
    that nothing would work.
    """

    subject: str
    found: str
    says: str
    same: bool | None
    grave: bool = False
    fix: str | None = None


@dataclass(frozen=True)
class Lost:
    """A job that its batch system has ended: why, and which of its nodes are at fault."""

    why: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnJob:
    """What the job that a process runs in holds.

    Attributes
    ----------
    job, queue
        Its number, and its queue in the batch system's words.
    nodes
        How many.
    minutes
        How long it still lives; None where it has no limit.
    cores, gpus, memory_mb
        Of each node, at least; of cores (as the batch system counts processors) and memory 0 where it does not say.
    """

    job: str
    queue: str
    nodes: int
    minutes: float | None = None
    cores: int = 0
    gpus: int = 0
    memory_mb: int = 0
