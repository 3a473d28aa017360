"""How tasks are started on an allocation: where their ranks lie, in which image, by which line."""

from __future__ import annotations

from dataclasses import replace

from deeprc.core.errors import ConfigError
from deeprc.images.catalog import Image, load_catalog
from deeprc.launch import Layout, Plan, compose
from deeprc.launch.choose import choose_image
from deeprc.launch.modules import probe
from deeprc.launch.runtimes import suffix
from deeprc.pilot.allocation import Allocation
from deeprc.pilot.pulls import Pulls
from deeprc.pilot.tasks import Task
from deeprc.sites.allocation import asked
from deeprc.sites.options import whole


class Planner:
    """Plans the tasks of an allocation, and notes what they want of it.

    Parameters
    ----------
    image
        A variant of the catalog for tasks that may run in an image, or `none`; the best one for each, if not given.
    pulls
        Where images are, or come to.
    """

    def __init__(self, allocation: Allocation, image: str | None, pulls: Pulls) -> None:
        self._allocation, self._image, self._pulls = allocation, image, pulls
        self._plans: dict[tuple, Plan] = {}

    def layout(self, task: Task) -> Layout:
        """How a task's ranks lie on the nodes: evenly, on as few as possible, or as many as it asks for."""
        there, partition = self._allocation, self._allocation.partition
        each = partition.usable_cores // task.cores_per_rank
        if task.gpus_per_rank:
            each = min(each, partition.gpus // task.gpus_per_rank)
        if task.memory_mb:
            each = min(each, there.memory_mb // task.memory_mb)
        least = -(-task.ranks // max(1, each))
        ranks_per_node = -(-task.ranks // max(least, min(task.nodes, there.nodes)))
        nodes = -(-task.ranks // ranks_per_node)  # nine ranks on four nodes are three times three
        if nodes > there.nodes or not each:
            node = partition.usable_cores, partition.gpus, there.memory_mb if task.memory_mb else 0
            raise ConfigError(
                f"{task.ranks} ranks of {_amounts(*task.shape.room)} do not fit",
                expected=f"{there.nodes} nodes with {_amounts(*node)} each",
                fix="ask for less, or take a larger pilot (--radical-pilot-nodes)",
            )
        memory = task.memory_mb if partition.memory_mb else 0
        return Layout(task.ranks, task.cores_per_rank, task.gpus_per_rank, nodes, memory)

    @property
    def contains(self) -> bool:
        """Whether tasks that may run in an image do so."""
        return self._image != "none" and (self._image is not None or self._allocation.site.runtime.kind != "none")

    def plan(self, task: Task) -> Plan:
        """How a task is started: what `deeprc plan` prints, with the nodes left to the pilot."""
        key = task.shape.room, task.ranks, task.nodes, task.comm, task.contained
        if key not in self._plans:
            self._plans[key] = self._compose(task)
        return replace(self._plans[key], command=task.argv)

    def _compose(self, task: Task) -> Plan:
        site, partition, layout = self._allocation.site, self._allocation.partition, self.layout(task)
        image = self._choose(layout) if task.contained else None
        plan = compose(site, partition, layout, [], image=image, comm=task.comm, placed=True)
        if image and not plan.refused and suffix(site.runtime.kind):
            path = self._pulls.path(image, partition.architecture)
            # Of tasks of one rank, each has a container of its own.
            many = self._allocation.cores // task.cores_per_rank if task.ranks == 1 else None
            plan = compose(
                site, partition, layout, [], image=image, image_path=str(path), comm=task.comm, placed=True,
                containers=many,
            )  # fmt: skip
        common = asked(site, partition, layout.nodes, layout.ranks_per_node)
        there = whole(common)
        self._allocation.want(option for option in whole(plan.scheduler_options[len(common) :]) if option not in there)
        return plan

    def _choose(self, layout: Layout) -> Image | None:
        if not self.contains:
            return None
        catalog, site, partition = load_catalog(), self._allocation.site, self._allocation.partition
        if self._image in (None, "auto"):
            return choose_image(catalog, site, partition, nodes=layout.nodes, gpus=layout.gpus_per_rank > 0)
        return catalog.image(self._image)

    def check_modules(self) -> None:
        """Raise a ConfigError where modules of the site do not load: a job would find that out in the queue."""
        site = self._allocation.site
        elsewhere = site.runtime.modules if site.runtime.where == "compute" else []
        wanted = [*site.modules, *(name for plan in self._plans.values() for name in plan.modules)]
        problems = probe([name for name in dict.fromkeys(wanted) if name not in elsewhere])
        if problems:
            raise ConfigError(
                f"modules of {site.name} do not load",
                found="; ".join(map(str, problems)),
                fix="mend `modules` in the site file (`module spider NAME` shows what there is), or ask the facility",
            )


def _amounts(cores: int, gpus: int, memory: int) -> str:
    if not memory:
        return f"{cores} cores and {gpus} accelerators"
    return f"{cores} cores, {gpus} accelerators and {memory} MB of memory"
