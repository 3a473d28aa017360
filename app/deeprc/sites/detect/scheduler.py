"""The batch system: whether there is one that answers, and what it has."""

from __future__ import annotations

from deeprc.sites.detect.lsf import lsf
from deeprc.sites.detect.pbs import pbs
from deeprc.sites.detect.queues import Queue, SchedulerFound
from deeprc.sites.detect.slurm import slurm

__all__ = ["Queue", "SchedulerFound", "scheduler"]


def scheduler() -> SchedulerFound:
    """The batch system that answers here."""
    remarks = []
    for look in (slurm, pbs, lsf):
        found = look()
        if found and not found.remark:
            return found
        remarks += [found.remark] if found else []
    return SchedulerFound("fork", remark="; ".join(remarks) or None)
