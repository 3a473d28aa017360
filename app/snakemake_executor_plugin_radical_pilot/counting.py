"""How many jobs a workflow has."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from snakemake_executor_plugin_radical_pilot.internals import jobs_to_run

PAUSE = 1.0  # seconds between two looks at all jobs, at least
SHARE = 100  # and so many times what the last look took: with 10,000 jobs it takes tens of milliseconds


class JobCount:
    """How many jobs the workflow has for the executor, as far as known; looking at all takes a hundredth of the time.

    The jobs that once were to be run are remembered: after a checkpoint Snakemake forgets those that are done.
    """

    def __init__(self, dag: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._dag, self._known, self._clock, self._next = dag, set(), clock, -math.inf

    def __call__(self) -> int:
        if (began := self._clock()) >= self._next:
            self._known |= {(job.rule.name, *map(str, job.output)) for job in jobs_to_run(self._dag)}
            ended = self._clock()
            self._next = ended + max(PAUSE, SHARE * (ended - began))
        return len(self._known)
