"""The batch system's job that this process runs in (salloc, sbatch): a pilot takes its nodes, and queues for none."""

from __future__ import annotations

import os
from collections.abc import Mapping

from deeprc.core.errors import ConfigError
from deeprc.schedulers.jobs import OwnJob
from deeprc.schedulers.requests import pairs
from deeprc.sites import Partition, Site
from deeprc.sites.allocation import asked

ANEW = "DEEPRC_ALLOCATION"  # `new` in it: a job is queued nevertheless


def at_hand(site: Site, environment: Mapping[str, str] = os.environ) -> OwnJob | None:
    """What this process's job holds; None outside of one, and where that is not to be looked at.

    Raises
    ------
    ConfigError
        Where this is within a job, and the batch system does not say what it holds.
    """
    batch = site.scheduler.system
    said = environment.get(ANEW, "")
    if said not in ("", "new"):
        raise ConfigError(f"{ANEW} means nothing", found=said, expected="new, or nothing")
    if not site.batch or said == "new" or not batch.within(environment):
        return None
    held = batch.held(environment)
    if held is None:
        raise ConfigError(
            f"this is within a job, and {batch.title} does not say what it holds",
            where=f"site {site.name}",
            found=f"{batch.job_variable}={environment.get(batch.job_variable)}",
            fix=f"run it outside of a job; or with {ANEW}=new, for a job of its own",
        )
    return held


def partition_at_hand(site: Site, name: str | None, held: OwnJob) -> Partition:
    """The partition that a job's nodes are of: the one that is asked for, or that of the job's queue, with no more than
    the job holds of each node.

    Raises
    ------
    ConfigError
        Where the job is in another queue than that of the partition.
    """
    known = {part.name: queues(site, part) for part in ([site.partition(name)] if name else site.partitions)}
    fitting = [part for part, names in known.items() if held.queue in names]
    if not fitting:
        raise ConfigError(
            f"the job at hand is not of {f'partition {name}' if name else f'site {site.name}'}",
            found=f"job {held.job} in {held.queue}",
            expected=f"one in {', '.join(sorted(set().union(*known.values())))}",
            fix=f"begin it in such a job, or outside of jobs; or with {ANEW}=new, for a job of its own",
        )
    there = site.partition(fitting[0])
    less: dict[str, object] = {}
    if held.cores and (cores := held.cores // there.threads_per_core) < there.cores:
        less |= {"cores": max(cores, 1), "reserved_cores": [], "sockets": 1}
    if held.gpus < there.gpus:
        less["accelerator"] = there.accelerator.model_copy(update={"count": held.gpus}) if held.gpus else None
    if held.memory_mb and held.memory_mb < (there.memory_mb or held.memory_mb + 1):
        less["memory_mb"] = held.memory_mb
    return there.model_copy(update=less)


def queues(site: Site, partition: Partition) -> set[str]:
    """What the batch system calls a partition."""
    options = pairs(asked(site, partition, 1, partition.usable_cores))
    named = {value for option, value in options if option in site.scheduler.system.queues}
    return named | {queue.name for queue in partition.queues} or {partition.queue or partition.name}
