"""The tasks that a pilot is given to run, and how they ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from deeprc.core.errors import ConfigError
from deeprc.pilot.worker.values import text

if TYPE_CHECKING:
    from deeprc.sites.setting import Comm

Room = tuple[int, int, int]  # cores, accelerators, MB of memory


@dataclass(frozen=True)
class Shape:
    """What a worker holds: cores, accelerators, memory, and imported modules; it runs the jobs that ask for just these.

    One that is `contained` runs in the image itself, since that is where its modules have to be imported.
    """

    cores: int = 1
    gpus: int = 0
    warm: tuple[str, ...] = ()
    contained: bool = False
    memory_mb: int = 0

    @cached_property
    def room(self) -> Room:
        """What it takes of its node."""
        return self.cores, self.gpus, self.memory_mb

    @cached_property
    def _hash(self) -> int:
        return hash(self.room)

    def __hash__(self) -> int:  # asked some sixty times for each job
        return self._hash


_one = lru_cache(4096)(Shape)  # a million tasks that are alike hold one together; equal ones are compared at a glance


@dataclass(frozen=True)
class Task:
    """A command that the pilot runs on `ranks` ranks.

    Attributes
    ----------
    warm
        Modules that are to be imported already where the command calls `python`; of several ranks, by a gang.
    timeout
        Seconds after which it is ended.
    memory_mb
        Memory of each rank, MB (10^6 bytes): it is placed where so much is free, and ended where it takes more; 0 where
        it asks for nothing.
    sample
        The file for the figures of a benchmark (one rank only).
    nodes
        On how many nodes its ranks are to lie; on as few as possible, if not given.
    comm
        What its ranks talk through, see `deeprc.launch.compose`.
    contained
        Whether the command runs in the pilot's image, where there is one.
    folder
        Where its launch script and its placement are written (several ranks only); or what is known about a command.
    environment
        The file of its environment, see `worker/surroundings.py`; its worker's own, if not given (one rank only).
    chosen
        Where any are named, its worker's own environment, and of the file these variables only (one rank only).
    variables
        What the environment has beside that (one rank only).
    workdir
        Where `argv` is run `repeats` times, what it prints and how it ends is written down in `folder`; if not given,
        `argv` is a script that does so itself (one rank only).
    function, arguments
        What is called instead of `argv`: `module:name`, found from `workdir`, with values that JSON has; its worker's
        process for functions runs it (one rank only; see `deeprc.pilot.calls`).
    """

    uid: str
    argv: list[str]
    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0
    warm: tuple[str, ...] = ()
    memory_mb: int = 0
    timeout: float | None = None
    sample: str | None = None
    nodes: int = 0
    comm: Comm = "mpi"
    contained: bool = False
    folder: str | None = None
    environment: str | None = None
    chosen: tuple[str, ...] | None = None
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    workdir: str | None = None
    repeats: int = 1
    function: str | None = None
    arguments: Sequence = field(default=(), hash=False)

    def __post_init__(self) -> None:
        if self.function is None:
            return
        fault = None
        if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", self.function):
            fault = "a function that cannot be found", self.function, "module:name, as in package.module:function"
        elif self.ranks > 1 or self.workdir is None:
            fault = "a call runs on one rank, in a folder", f"ranks={self.ranks}, workdir={self.workdir}", None
        else:
            try:
                text(self.arguments)
            except (TypeError, ValueError, RecursionError) as error:
                fault = f"arguments of {self.function} that JSON does not have", f"{error}", "numbers, texts, lists, …"
        if fault:
            raise ConfigError(fault[0], found=fault[1], expected=fault[2])

    @cached_property  # with 10,000 waiting tasks, it is asked often
    def shape(self) -> Shape:
        """What each of its ranks needs."""
        contained = self.contained and bool(self.warm)
        return _one(self.cores_per_rank, self.gpus_per_rank, self.warm, contained, self.memory_mb)

    @cached_property
    def kind(self) -> tuple[Shape, int, int]:
        """Of several ranks: those of one kind need the same room."""
        return self.shape, self.ranks, self.nodes


@dataclass(frozen=True)
class Outcome:
    """How a task ended: DONE, FAILED, CANCELED, or LOST: what ran it has ended, which says nothing of the task itself.

    `cores` are the (node, core) pairs that it had; `cpu` are the seconds of CPU time that it took, and `peak` the MB
    (10^6 bytes) that it had at most (see `worker/usage.py`), where these are known. `value` is what a function gave;
    `start` and `stop` are the seconds since the epoch when its command began and ended, where its worker has told them.
    """

    uid: str
    state: str
    code: int | None
    cores: list[tuple[str, int]]
    reason: str | None
    cpu: float | None = None
    peak: float | None = None
    value: object = None
    start: float | None = None
    stop: float | None = None
