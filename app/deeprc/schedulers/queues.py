"""A batch system and its queues, as each of the three describes them."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field

Gres = tuple[str | None, int | None]  # type and number of a node's accelerators, None where nobody tells


@dataclass(frozen=True)
class Queue:
    """Nodes of one kind in a partition or queue; one that has several kinds of nodes is several of these.

    Attributes
    ----------
    nodes
        How many there are, or as many as a job may have.
    cores
        Physical cores of a node, as far as the batch system tells them from hardware threads.
    threads
        What it counts as processors of a core.
    gres
        Accelerators of a node in Slurm's words: `gpu:a100:4`.
    here
        Whether this node is one of them.
    arch
        Their processors' architecture, where the batch system tells it.
    """

    name: str
    nodes: int
    cores: int | None = None
    memory_mb: int | None = None
    gres: str | None = None
    threads: int = 1
    sockets: int | None = None
    here: bool = False
    arch: str | None = None


@dataclass(frozen=True)
class SchedulerFound:
    """The batch system, as site files call it; `fork` is none.

    Attributes
    ----------
    remark
        What is here, but does not work.
    default_pmi
        What Slurm's srun speaks to ranks where nothing is said.
    left_out
        Queues that no job can be sent to, each with the reason.
    """

    name: str
    version: str | None = None
    cluster: str | None = None
    queues: list[Queue] = field(default_factory=list)
    remark: str | None = None
    default_pmi: str | None = None
    left_out: list[str] = field(default_factory=list)


def parse_gres(text: str | None) -> list[Gres]:
    """Types and numbers of accelerators in Slurm's words, the sockets that they are near to left out.

    `gpu:a100:4(S:0-1)`, `gpu:4`, `gpu:v100:2(S:0),gpu:a100:2(S:1)`; other resources (`craynetwork:4`) are none.
    """
    found = []
    for part in re.sub(r"\([^)]*\)", "", text or "").split(","):
        words = part.strip().split(":")
        count = int(words.pop()) if re.fullmatch(r"\d+", words[-1]) else None
        if words[:1] == ["gpu"] and count != 0:
            found.append((words[1] if len(words) > 1 else None, count))
    return found


def architecture(text: str) -> str | None:
    """What a batch system calls an architecture, as site files do: Slurm's `Arch=`, LSF's type of a host."""
    for known, pattern in (("x86_64", r"x86_?64"), ("aarch64", r"aarch64|arm64"), ("ppc64le", r"ppc64le|power64le")):
        if re.search(pattern, text, re.IGNORECASE):
            return known
    return None


def here(name: str) -> bool:
    """Whether a node's name is this machine's."""
    return name.partition(".")[0] == socket.gethostname().partition(".")[0]


def number(text: str | None) -> str | None:
    """The first version in a text."""
    match = re.search(r"\d+(?:\.\d+)+", text or "")
    return match.group() if match else None


def whole(text: str | None) -> int | None:
    """The whole number that a text begins with: `64+`, Slurm's word for 64 and more on some nodes, is 64."""
    match = re.match(r"\s*(\d+)", text or "")
    return int(match.group(1)) if match else None
