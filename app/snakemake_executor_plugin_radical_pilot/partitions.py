"""`--radical-pilot-pilots auto`: the partitions of a site that a workflow's jobs are best run on.

As the Slurm plugin of Snakemake scores partitions: one whose limits a job exceeds is out; of the others the one that
the job fills best. Before that, one whose accelerators would lie idle comes last, as these are what costs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from deeprc.sites import Partition, Site
from snakemake_executor_plugin_radical_pilot import direct
from snakemake_executor_plugin_radical_pilot.asking import asks
from snakemake_executor_plugin_radical_pilot.resources import PlacementError, Request, check_models
from snakemake_executor_plugin_radical_pilot.routes import words
from snakemake_executor_plugin_radical_pilot.shapes import PilotShape


@dataclass(frozen=True)
class NodeKind:
    """A partition: what a node of it has, and how many a job may have; `memory_mb` 0 where nobody has told."""

    name: str
    cores: int
    gpus: int = 0
    memory_mb: int = 0
    nodes: int = 1
    model: str | None = None

    @property
    def text(self) -> str:
        """It, for people."""
        gpus = f", {self.gpus} accelerators" if self.gpus else ""
        memory = f", {self.memory_mb} MB of memory" if self.memory_mb else ""
        return f"{self.name} (at most {self.nodes} nodes of {self.cores} cores{gpus}{memory})"


def needed(asked: Request, kind: NodeKind) -> int | None:
    """How many nodes of that kind a job needs; None where it does not fit."""
    memory = -(-asked.memory_mb // asked.ranks)
    pairs = (
        (kind.cores, asked.cores_per_rank),
        (kind.gpus, asked.gpus_per_rank),
        (kind.memory_mb, memory if kind.memory_mb else 0),
    )
    each = min(there // need for there, need in pairs if need)
    if not each:
        return None
    count = max(-(-asked.ranks // each), min(asked.nodes, kind.nodes, asked.ranks))
    return count if count <= kind.nodes else None


def score(asked: Request, kind: NodeKind, nodes: int) -> float:
    """How well a job fills that many nodes: the sum of the parts of their cores, accelerators and memory."""
    pairs = ((asked.cores, kind.cores), (asked.gpus, kind.gpus), (asked.memory_mb, kind.memory_mb))
    return sum(need / (there * nodes) for need, there in pairs if there)


def best(asked: Request, kinds: Sequence[NodeKind]) -> tuple[int, int] | None:
    """The number of the partition for a job, and the nodes that it needs there; None where it fits none."""
    found = [(number, nodes) for number, kind in enumerate(kinds) if (nodes := needed(asked, kind)) is not None]

    def order(each: tuple[int, int]) -> tuple:
        number, nodes = each
        wasted = bool(kinds[number].gpus) and not asked.gpus
        return wasted, nodes, -score(asked, kinds[number], nodes), number

    return min(found, key=order, default=None)


def chosen(wish: PilotShape, site: Site, settings: Any, jobs: Iterable) -> tuple[PilotShape, ...]:
    """The shapes for these jobs, in the order of the site's partitions.

    Parameters
    ----------
    wish
        What was said of all of them.

    Raises
    ------
    PlacementError
        For a job that no partition has room for.
    """
    there = [site.partition(settings.partition)] if settings.partition else [*site.partitions]
    own = wish.settings(settings)
    kinds = [_kind(part, own.cores, own.gpus) for part in there]
    sizes: dict[int, int] = {}
    for rule, asked in _requests(jobs):
        fitting = [kind if _has_model(rule, asked, kind) else replace(kind, nodes=0) for kind in kinds]
        found = best(asked, fitting)
        if found is None:
            raise PlacementError(
                f"rule {rule} fits no partition of {site.name}",
                found=words(asked),
                expected="what one of them has\n    " + "\n    ".join(kind.text for kind in kinds),
                fix="ask for less",
            )
        number, nodes = found
        sizes[number] = max(sizes.get(number, own.nodes), nodes)
    sizes = sizes or {0: own.nodes}
    return tuple(
        replace(
            wish, partition=part.name, nodes=nodes, name=part.name,
            gpus=wish.gpus if part.gpus else None,  # of nodes that have none, none are asked for
        )
        for part, nodes in ((there[number], nodes) for number, nodes in sorted(sizes.items()))
    )  # fmt: skip


def _requests(jobs: Iterable) -> list[tuple[str, Request]]:
    found = {}
    for job in jobs:
        with contextlib.suppress(WorkflowError):  # computed from a file which is not there yet
            found[direct.rule_name(job), asks(job)] = None
    return [*found]


def _has_model(rule: str, asked: Request, kind: NodeKind) -> bool:
    with contextlib.suppress(PlacementError):
        check_models(rule, asked, kind.model)
        return True
    return False


def _kind(part: Partition, cores: int | None, gpus: int | None) -> NodeKind:
    model = part.accelerator.model if part.accelerator else None
    usable = min(cores, part.usable_cores) if cores else part.usable_cores
    most = max((queue.nodes for queue in part.queues), default=part.nodes)
    gpus = part.gpus if gpus is None else min(gpus, part.gpus)
    return NodeKind(part.name, usable, gpus, part.memory_mb or 0, min(part.nodes, most), model)
