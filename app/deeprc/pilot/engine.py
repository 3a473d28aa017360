"""What stands behind a pilot: the few calls by which nodes are taken and tasks started on them, and what is heard.

RADICAL-Pilot is one such engine (`link`); nothing above this package knows it by name. What every engine has to keep is
stated by the contract tests (`tests/integration/pilot/test_engines.py`), which run against two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from deeprc.pilot.batch import Submission
from deeprc.sites import Partition, Site

Cores = list[tuple[str, int]]  # of a task: (node, core)


@dataclass(frozen=True)
class Wanted:
    """The nodes that an engine is to take.

    Attributes
    ----------
    runtime
        How long they may be held, minutes.
    mark
        Each process of the pilot on this machine has it in its environment, as MARK (see `processes`).
    address
        Of this machine, as the nodes see it; None where the pilot is on this machine.
    submission
        What the batch system's job is submitted with; None where none is to be.
    private
        Files that hold secrets: they go, too, where this process is killed.
    """

    site: Site
    partition: Partition
    nodes: int
    cores: int
    gpus: int
    runtime: int
    mark: str
    address: str | None = None
    submission: Submission | None = None
    private: Sequence[Path] = ()


@dataclass(frozen=True)
class Launch:
    """A task, as an engine is told of it.

    Attributes
    ----------
    argv
        What it starts where `script` is None: one rank, on the first node.
    memory_mb
        Memory of each rank, MB; 0 where it asks for nothing, or nobody knows what a node has.
    nodes
        On how many nodes the ranks are to lie, in equal blocks; 0 leaves that to the engine.
    node
        The number of the node that it is to run on; None leaves that to the engine.
    script
        Its launch script, to be started once, on the first node. Before, the engine writes down beside it where it has
        placed the ranks (`patches/deeprc_launch.py`, `place`).
    slots
        How many such ranks a node holds, as the script's launcher counts.
    avoid
        The numbers of nodes that it is not to run on.
    """

    uid: str
    argv: list[str]
    ranks: int = 1
    cores_per_rank: int = 1
    gpus_per_rank: int = 0
    memory_mb: int = 0
    nodes: int = 0
    node: int | None = None
    script: str | None = None
    slots: int = 0
    avoid: Sequence[int] = ()


@dataclass(frozen=True)
class PilotNews:
    """What has become of the nodes: ACTIVE once tasks run there, FAILED when no more will, whatever the cause.

    `reason` is told where the engine knows it, `said` are its own words otherwise. `explained` is False where what it
    has written says more (`Engine.last_words`). `refused`: by the batch system, which would refuse it again.
    `broken`: nodes that are at fault.
    """

    state: Literal["STARTING", "ACTIVE", "FAILED"]
    reason: str | None = None
    said: str = ""
    explained: bool = True
    refused: bool = False
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskNews:
    """A task runs (with its `cores`, and the number of each rank's node in `nodes`), or has ended."""

    uid: str
    state: Literal["RUNNING", "DONE", "FAILED", "CANCELED"]
    code: int | None = None
    cores: Cores = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    reason: str | None = None


class Engine(Protocol):
    """Takes nodes once, and runs tasks on them.

    It is made with the pilot's private folder, refusing one that it cannot work with; all that it writes is there.
    """

    def start(self, wanted: Wanted) -> None:
        """Take the nodes; return at once. Called once."""

    def submit(self, tasks: Sequence[Launch]) -> None:
        """Start tasks as soon as there is room for them, those that fit in the order that they came."""

    def cancel(self, uids: Sequence[str]) -> None:
        """End tasks that wait or run, with all that they have started; of each, its end is told."""

    def news(self) -> Iterator[PilotNews | TaskNews]:
        """What happens, as it happens; it ends when the engine is closed."""

    def close(self) -> None:
        """Give the nodes back, and end all that was started there. May be called at any time, and again."""

    def last_words(self) -> tuple[list[str], Path]:
        """The end of what it has written of its failure, and the file that this stands in."""

    @property
    def log(self) -> Path:
        """Where its messages are."""
