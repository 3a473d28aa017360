"""The batch system: whether there is one that answers, and what it has."""

from __future__ import annotations

from deeprc.schedulers.lsf import lsf
from deeprc.schedulers.pbspro import pbs
from deeprc.schedulers.queues import Queue, SchedulerFound
from deeprc.schedulers.slurm import slurm

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
