"""Whether a partition has room for a task, told before anything is composed."""

from __future__ import annotations

from deeprc.core.errors import ConfigError
from deeprc.launch.launchers import Layout
from deeprc.sites import Partition, Site


def check_layout(site: Site, partition: Partition, layout: Layout, *, placed: bool = False) -> None:
    """Raise a ConfigError where the partition has no room for it, or, unless it is in a pilot, no queue."""
    where = f"site {site.name}, partition {partition.name}"
    rows = (
        ("nodes", layout.nodes, partition.nodes, f"{layout.nodes} nodes", "fewer nodes"),
        (
            "usable cores per node",
            layout.ranks_per_node * layout.cores_per_rank,
            partition.usable_cores,
            f"{layout.ranks_per_node} ranks per node x {layout.cores_per_rank} cores",
            "fewer ranks or cores per rank, or more nodes",
        ),
        (
            "accelerators per node",
            layout.gpus_per_node,
            partition.gpus,
            f"{layout.ranks_per_node} ranks per node x {layout.gpus_per_rank}",
            "fewer ranks or accelerators per rank, or more nodes",
        ),
    )
    if layout.nodes > layout.ranks:
        raise ConfigError(f"{layout.ranks} ranks cannot lie on {layout.nodes} nodes", where=where, fix="give --ranks")
    for what, wanted, there, found, fix in rows:
        if wanted > there:
            raise ConfigError(
                f"{wanted} {what}: more than there are", where=where, found=found, expected=f"at most {there}", fix=fix
            )
    if not placed and (unqueued := partition.unqueued(layout.nodes)):
        raise ConfigError(unqueued, where=f"site {site.name}", fix="ask for as many nodes as one of them takes")
