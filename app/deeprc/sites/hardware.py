"""Nodes: their cores, accelerators and network cards."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from deeprc.sites import detect
from deeprc.sites.fact import Count, Fact, Release, Strict, Switch, Whole
from deeprc.sites.options import PartitionOption
from deeprc.sites.software import PartitionLauncher

Architecture = Literal["x86_64", "aarch64", "ppc64le"]
Vendor = Literal["nvidia", "amd", "intel"]
VISIBLE = {"nvidia": "CUDA_VISIBLE_DEVICES", "amd": "ROCR_VISIBLE_DEVICES", "intel": "ZE_AFFINITY_MASK"}
BROUGHT = ("architecture", "cores")  # required of a partition, unless its hardware has them


class Accelerator(Strict):
    """The accelerators of a node.

    Attributes
    ----------
    model
        Its name; that of slices (MIG) holds `MIG`, or their size, as `a100_1g.5gb`.
    count
        As many as a node's tasks see: GCDs of AMD MI250X, tiles of Intel Max.
    arch
        What compilers call it: `sm_90`, `gfx90a`.
    memory_gb
        Memory of one, GB.
    driver
        Version of the host's driver.
    unit
        Intel: whether `count` counts tiles or cards; where nothing is said, tiles if the model says `tile`.
    reversed
        Whether the last one is nearest to the first cores (ALCF Polaris, NERSC Perlmutter).
    order
        Their numbers in the order of the cores that they are nearest to, where it is neither rising nor falling.
    """

    vendor: Vendor
    model: str
    arch: str | None = None
    count: Count
    memory_gb: Count | None = None
    driver: Release | None = None
    unit: Literal["tile", "card"] | None = None
    reversed: Switch = False
    order: list[Whole] = Field(default_factory=list)

    @model_validator(mode="after")
    def _each_once(self) -> Accelerator:
        if self.order and sorted(self.order) != list(range(self.count)):
            raise ValueError(f"order must hold each of 0-{self.count - 1} once")
        if self.order and self.reversed:
            raise ValueError("`reversed` and `order` say the same thing twice: keep one of them")
        if self.unit and self.vendor != "intel":
            raise ValueError(f"unit is a fact of Intel's accelerators, not of {self.vendor}'s")
        return self

    @property
    def nearest_first(self) -> list[int]:
        """Their numbers in the order of the cores that they are nearest to."""
        return self.order or (list(range(self.count))[::-1] if self.reversed else list(range(self.count)))

    @property
    def sliced(self) -> bool:
        """Whether they are slices (MIG) of accelerators, as their model says: known by UUIDs, connected by nothing."""
        return bool(re.search(r"\bMIG\b|(?<![a-z0-9])\d+g\.\d+gb", self.model, re.IGNORECASE))

    @property
    def hierarchies(self) -> tuple[str, ...]:
        """Intel: values of ZE_FLAT_DEVICE_HIERARCHY by which numbers in ZE_AFFINITY_MASK are what `count` counts.

        Level Zero's PROG.rst, Environment Variables: FLAT and COMBINED number tiles, COMPOSITE cards; which of them is
        the default depends on the driver's version.
        """
        if self.vendor != "intel":
            return ()
        tiles = self.unit == "tile" or (self.unit is None and "tile" in self.model.lower())
        return ("FLAT", "COMBINED") if tiles else ("COMPOSITE",)

    @property
    def visible(self) -> str:
        """The environment variable that tells a rank which accelerators are its own."""
        return VISIBLE[self.vendor]


class GpuBinding(Fact):
    """How `srun` gives each rank accelerators of its own, where the facility says that this does.

    Attributes
    ----------
    how
        `closest`: only where one and no more is near to a rank's cores, or ranks share them. `per_task`: the near ones
        first, else others. `variable`: all to all, and a variable tells each rank its own.
    """

    how: Literal["closest", "per_task", "variable"]


class Nics(Strict):
    """The network cards of a node, for instance four `hsn` interfaces of 200 Gb/s."""

    count: Count
    model: str
    interfaces: list[str] = Field(default_factory=list)
    gbit: Count | None = None


class PartitionQueue(Strict):
    """A queue that takes jobs of some size on a partition's nodes; what an allocation in it needs beside."""

    name: str
    min_nodes: Count = 1
    nodes: Count
    scheduler_options: list[PartitionOption] = Field(default_factory=list)

    @model_validator(mode="after")
    def _takes_some(self) -> PartitionQueue:
        if self.min_nodes > self.nodes:
            raise ValueError(f"queue {self.name} takes no job: min_nodes {self.min_nodes}, nodes {self.nodes}")
        return self


class Partition(Fact):
    """Nodes of one kind. `detect` in the file stands for what this machine has.

    Attributes
    ----------
    hardware
        The name of a file in `site-configs/hardware/`, whose keys this partition takes over where it has none.
    queue
        What the scheduler calls it; the partition's own name where nothing is given.
    queues
        Where the size of a job decides on its queue: the first that takes so many nodes, `{queue}` in the options.
    nodes
        Nodes that a job may have at most.
    max_minutes
        How long a job may last at most; None where nobody has told.
    cores
        Physical cores of a node.
    threads_per_core
        What the scheduler counts as processors of a core: 2 where it is to be told of hardware threads (NERSC).
    reserved_cores
        The numbers of those that the system keeps for itself.
    sockets
        Sockets, or NUMA domains, that a rank's cores should not straddle.
    memory_mb
        Memory of a node, MB (10^6 bytes); None where nobody has told.
    launcher
        Where it is not the site's: all that is known about it. A name alone says nothing about its PMI.
    scheduler_options
        What an allocation of it needs; `{nodes}`, `{ranks_per_node}`, `{gpus}` (of a node) and `{queue}` are filled
        in.
    """

    name: str
    description: str | None = None
    hardware: str | None = None
    queue: str | None = None
    queues: list[PartitionQueue] = Field(default_factory=list)
    nodes: Count = 1
    max_minutes: Count | None = None
    architecture: Architecture
    cores: Count
    threads_per_core: Count = 1
    reserved_cores: list[Whole] = Field(default_factory=list)
    sockets: Count = 1
    cpu: str | None = None
    memory_mb: Count | None = None
    accelerator: Accelerator | None = None
    nics: Nics | None = None
    modules: list[str] = Field(default_factory=list)
    scheduler_options: list[PartitionOption] = Field(default_factory=list)
    launcher: PartitionLauncher | None = None
    gpu_binding: GpuBinding | None = None

    @model_validator(mode="before")
    @classmethod
    def _detect(cls, data: object) -> object:
        found = {"cores": detect.cores, "memory_mb": detect.memory_mb, "architecture": detect.architecture}
        if not isinstance(data, dict):
            return data
        return {k: found[k]() if v == "detect" and k in found else v for k, v in data.items()}

    @model_validator(mode="after")
    def _sockets_are_alike(self) -> Partition:
        if self.cores % self.sockets:
            raise ValueError(f"{self.cores} cores in {self.sockets} sockets: each must have the same number of cores")
        return self

    @model_validator(mode="after")
    def _reserved_exist(self) -> Partition:
        if any(not 0 <= core < self.cores for core in self.reserved_cores) or len(self.reserved_cores) >= self.cores:
            raise ValueError(f"reserved_cores must be some of the cores 0-{self.cores - 1}, not all of them")
        return self

    @property
    def usable_cores(self) -> int:
        """Cores of a node that ranks may use."""
        return self.cores - len(set(self.reserved_cores))

    @property
    def gpus(self) -> int:
        """Accelerators of a node."""
        return self.accelerator.count if self.accelerator else 0

    def allocation(self, nodes: int, ranks_per_node: int = 1) -> list[str]:
        """The scheduler's options for an allocation of that many nodes."""
        fitting = [queue for queue in self.queues if queue.min_nodes <= nodes <= queue.nodes] or self.queues
        queue = fitting[0] if fitting else PartitionQueue(name=self.queue or self.name, nodes=self.nodes)
        names = {"nodes": nodes, "ranks_per_node": ranks_per_node, "gpus": self.gpus, "queue": queue.name}
        return [option.format(**names) for option in [*self.scheduler_options, *queue.scheduler_options]]

    def unqueued(self, nodes: int) -> str | None:
        """In words, that no queue takes a job of so many nodes; None where one does, or there is no choice of them."""
        if not self.queues or any(queue.min_nodes <= nodes <= queue.nodes for queue in self.queues):
            return None
        limits = ", ".join(f"{queue.name}: {queue.min_nodes}-{queue.nodes}" for queue in self.queues)
        return f"no queue of partition {self.name} takes a job of {nodes} nodes ({limits})"

    def core_blocks(self, ranks: int, cores_per_rank: int) -> list[range]:
        """Consecutive usable cores for each of a node's ranks, none across two sockets; empty where that cannot be."""
        each, blocks = self.cores // self.sockets, []
        for socket in range(self.sockets):
            here, start = [], socket * each
            while start + cores_per_rank <= (socket + 1) * each:
                block = range(start, start + cores_per_rank)
                taken = [core for core in self.reserved_cores if core in block]
                if taken:
                    start = taken[-1] + 1
                else:
                    here.append(block)
                    start = block.stop
            blocks.append(here)
        share = -(-ranks // self.sockets)
        chosen = [block for here in blocks for block in here[:share]][:ranks]
        if len(chosen) < ranks:
            chosen = [block for here in blocks for block in here][:ranks]
        return chosen if len(chosen) == ranks else []
