"""How a job of some nodes is requested: the site's options, and what these leave out."""

from __future__ import annotations

from deeprc.schedulers import Job
from deeprc.sites.hardware import Partition
from deeprc.sites.model import Site


def job_of(site: Site, partition: Partition, nodes: int, ranks_per_node: int) -> Job:
    """The job, with the options in the order site, partition."""
    return Job(
        [*site.scheduler.options, *partition.allocation(nodes, ranks_per_node)],
        nodes,
        partition.usable_cores * partition.threads_per_core,
        partition.gpus,
        site.launcher.name,
        site.scheduler.facts,
        site.allocations,
    )


def asked(site: Site, partition: Partition, nodes: int, ranks_per_node: int) -> list[str]:
    """The options of an allocation; what the site's leave unsaid comes last."""
    return site.scheduler.system.asked(job_of(site, partition, nodes, ranks_per_node))


def short(site: Site, partition: Partition, options: list[str], nodes: int, gpus: int) -> tuple[str, str] | None:
    """Which of an allocation's options gives fewer nodes, or accelerators of a node, than are needed, and the cure."""
    batch = site.scheduler.system
    who = f"the site's own options of {batch.name}"
    into = "into the partition's scheduler_options"
    there = batch.nodes_asked(options)
    if there and there.count < nodes:
        what = f"{there.count} node{'s' * (there.count != 1)} ({there.option})"
        why = f"{who} ask for {what}, and the plan needs {nodes}"
        return why, f"write {there.instead} {into}: {{nodes}} is filled in"
    given = min(batch.gpus_asked(options, nodes, partition.sockets), key=lambda one: one.count, default=None)
    if given and given.count < gpus:
        what = f"{given.count} accelerator{'s' * (given.count != 1)} of a node ({given.option})"
        why = f"{who} ask for {what}, and the plan needs {gpus}: its ranks would share them, or not start"
        return why, f"write {given.instead} {into}: {{gpus}} is filled in with all that a node has"
    return None
