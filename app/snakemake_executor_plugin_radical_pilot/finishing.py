"""Tells Snakemake of the jobs that have ended well: many at once, where many end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

PAUSE = 0.1  # seconds between two words to Snakemake amid one look at what has ended


class Finishing:
    """Those of a run.

    At each word Snakemake copies the list of all jobs that run, and it holds its lock until it has noted all that have
    ended: who told it of each alone would wait as long as it works, and of 16,000 jobs have it copy 16,000 lists.
    """

    def __init__(self, workflow: Any) -> None:
        self._workflow, self._jobs, self._told = workflow, [], 0.0

    def add(self, job: Any) -> None:
        """A job has ended; Snakemake hears of it now, with others soon, or at the end of this look (`tell`)."""
        self._jobs.append(job)
        if time.monotonic() - self._told > PAUSE:
            self._tell(wait=False)

    def tell(self) -> None:
        """Snakemake hears of all that it has not heard of."""
        if self._jobs:
            self._tell(wait=True)

    def _tell(self, *, wait: bool) -> None:
        if finish(self._workflow, self._jobs, wait=wait):
            self._jobs, self._told = [], time.monotonic()


def finish(workflow: Any, jobs: Sequence, *, wait: bool) -> bool:
    """Tell Snakemake that jobs have ended well, all at once; whether it was: not while it is busy, unless `wait`."""
    scheduler = workflow.scheduler
    if scheduler.finish_callback != scheduler._proceed:  # `--immediate-submit`
        for job in jobs:
            scheduler.finish_callback(job)
        return True
    if not scheduler._lock.acquire(blocking=wait):
        return False
    try:
        scheduler._tofinish.extend(jobs)
    finally:
        scheduler._lock.release()
    scheduler._open_jobs.release()
    return True
