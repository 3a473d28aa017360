"""Batch systems: one file and one class for each, found by its name.

They stand below the sites: a site file's rules depend on the batch system that it names (what may be said of it, how
its nodes are asked for), while a batch system needs a few numbers of a site only.
"""

from deeprc.core.registry import import_all
from deeprc.schedulers.base import Scheduler, detect, known_schedulers, scheduler, schedulers
from deeprc.schedulers.jobs import Job, Remark
from deeprc.schedulers.queues import Queue, SchedulerFound

__all__ = [
    "Job", "Queue", "Remark", "Scheduler", "SchedulerFound", "detect", "known_schedulers", "scheduler", "schedulers",
]  # fmt: skip
import_all(__name__, __path__)
