"""Which rank this process is, and of how many: as the launcher says it. No launcher of our own is needed.

Launchers tell each rank its number by variables of their own. Where several of them have done so (`mpiexec` within a
step of Slurm, a worker of a pilot within a job), the innermost counts: those that start the ranks of others stand last
in the table. DEEPRC_RANKS, which the executor sets for each job, decides where they differ.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deeprc.core.errors import DeepRCError

RANKS = "DEEPRC_RANKS"


class WorldError(DeepRCError):
    """Ranks whose number, or whose launcher, is not what it should be."""


@dataclass(frozen=True)
class RankVariables:
    """The variables of one launcher, each by the names that it may have; the first that is set counts.

    `name` is what it is called in messages.
    """

    name: str
    rank: tuple[str, ...]
    size: tuple[str, ...]
    local_rank: tuple[str, ...] = ()
    local_size: tuple[str, ...] = ()
    node_rank: tuple[str, ...] = ()


# Sources: Open MPI's manual, "Environment variables set at run time"; MPICH's Hydra (src/pm/hydra/proxy), Cray PMI
# (pmi(3)), PALS (palsd(1), alcf-perf/AURORA.md), Slurm's srun(1) "OUTPUT ENVIRONMENT VARIABLES", Flux's flux-run(1),
# IBM's jsrun. SLURM_NTASKS stands in batch scripts, too, which are no rank: only what srun sets for a step is read.
SOURCES = (
    RankVariables(
        "Open MPI",
        ("OMPI_COMM_WORLD_RANK",),
        ("OMPI_COMM_WORLD_SIZE",),
        ("OMPI_COMM_WORLD_LOCAL_RANK",),
        ("OMPI_COMM_WORLD_LOCAL_SIZE",),
    ),
    RankVariables(
        "PALS",
        ("PALS_RANKID",),
        ("PMI_SIZE",),
        ("PALS_LOCAL_RANKID",),
        ("PALS_LOCAL_SIZE",),
        ("PALS_NODEID",),
    ),
    RankVariables(
        "PMI",
        ("PMI_RANK",),
        ("PMI_SIZE",),
        ("MPI_LOCALRANKID", "PMI_LOCAL_RANK", "SLURM_LOCALID"),
        ("MPI_LOCALNRANKS", "PMI_LOCAL_SIZE"),
    ),
    RankVariables("PMIx", ("PMIX_RANK",), ("SLURM_STEP_NUM_TASKS",), ("SLURM_LOCALID",)),
    RankVariables("jsrun", ("JSM_NAMESPACE_RANK",), ("JSM_NAMESPACE_SIZE",), ("JSM_NAMESPACE_LOCAL_RANK",),
           ("JSM_NAMESPACE_LOCAL_SIZE",)),
    RankVariables("Flux", ("FLUX_TASK_RANK",), ("FLUX_JOB_SIZE",), ("FLUX_TASK_LOCAL_ID",), (), ("FLUX_NODE_ID",)),
    RankVariables(
        "Slurm",
        ("SLURM_PROCID",),
        ("SLURM_STEP_NUM_TASKS",),
        ("SLURM_LOCALID",),
        (),
        ("SLURM_NODEID",),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """Where this process stands among the ranks.

    Attributes
    ----------
    rank, size
        Its number, from 0, and how many there are.
    local_rank, local_size
        The same among the ranks of its node.
    node_rank, nodes
        The same of its node among the nodes, in the order of their first ranks.
    source
        Who said so: `one process`, `MPI`, or a launcher.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    node_rank: int = 0
    nodes: int = 1
    source: str = "one process"


@dataclass(frozen=True)
class ToldRank:
    """What one launcher has told this process; what it does not tell is None."""

    source: RankVariables
    rank: int
    size: int
    local_rank: int | None
    local_size: int | None
    node_rank: int | None

    def __str__(self) -> str:
        return f"{self.source.name}: rank {self.rank} of {self.size}"


def told(environment: Mapping[str, str]) -> ToldRank | None:
    """What the launcher of this process has told it; None where it is one process alone.

    Raises
    ------
    WorldError
        Where a variable holds no number, a rank is not below its world's size, or the ranks are not as many as
        DEEPRC_RANKS says.
    """
    expected = _number(environment, (RANKS,))
    if expected == 1:  # a job of one rank: what the variables say is of the worker that it runs in
        return None
    found = [known for source in SOURCES if (known := _of(source, environment, expected))]
    fitting = [known for known in found if expected in (None, known.size)]
    if not fitting and (found or expected):
        raise WorldError(
            "the world has another size than the job",
            found="; ".join(map(str, found)) or "no launcher has told this process a rank",
            expected=f"{expected} ranks ({RANKS})",
            fix="start the ranks with the site's launcher; `deeprc plan` shows which one it is",
        )
    return fitting[0] if fitting and fitting[0].size > 1 else None


def _of(source: RankVariables, environment: Mapping[str, str], expected: int | None) -> ToldRank | None:
    rank, size = _number(environment, source.rank), _number(environment, source.size)
    if rank is not None and size is None:
        size = expected  # PMIx tells its size to those alone who speak it
    if rank is None or size is None:
        return None
    if not 0 <= rank < size:
        raise WorldError(
            f"{source.name} gives a rank that its world does not have",
            found=f"rank {rank} of {size}",
            expected=f"a rank from 0 to {size - 1}",
            fix="unset what a shell or a batch script has set of these variables",
        )
    rest = (source.local_rank, source.local_size, source.node_rank)
    return ToldRank(source, rank, size, *(_number(environment, names) for names in rest))


def _number(environment: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    for name in names:
        if text := environment.get(name, "").strip():
            if not re.fullmatch(r"\d+", text):
                raise WorldError(f"{name} is no number", found=text, expected="a number of ranks, or a rank")
            return int(text)
    return None


def node_name(environment: Mapping[str, str]) -> str:
    """What tells this node from others: the machine's name, and Slurm's for it, by which several of its nodes may be
    one machine (`slurmd -N`).
    """
    return "/".join(filter(None, (socket.gethostname(), environment.get("SLURMD_NODENAME"))))


def placed(known: ToldRank, seats: Sequence[tuple[str, int | None]]) -> World:
    """The world of a rank.

    Parameters
    ----------
    seats
        Of every rank, in their order: the name of its node, and the number on it that its launcher told.

    Raises
    ------
    WorldError
        Where a launcher gives two ranks of a node one number: they would take one accelerator.
    """
    hosts = [host for host, _ in seats]
    here, order = hosts[known.rank], list(dict.fromkeys(hosts))
    numbers = [number for host, number in seats if host == here]
    if None not in numbers and len(set(numbers)) < len(numbers):
        raise WorldError(
            f"{known.source.name} gives ranks of a node the same number on it",
            found=f"{', '.join(map(str, numbers))} on {here}",
            expected="a number of each rank's own",
            fix="start the ranks by one call of the launcher, on nodes whose names differ",
        )
    by_order = hosts[: known.rank].count(here)
    return World(
        rank=known.rank,
        size=known.size,
        local_rank=by_order if None in numbers else known.local_rank,
        local_size=len(numbers),
        node_rank=order.index(here),
        nodes=len(order),
        source=known.source.name,
    )
