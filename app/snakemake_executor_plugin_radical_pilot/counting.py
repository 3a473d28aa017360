"""How many jobs a workflow has."""

from __future__ import annotations

import time
from typing import Any

from snakemake_executor_plugin_radical_pilot.internals import jobs_to_run


class JobCount:
    """How many jobs the workflow has for the executor, as far as known; calling it costs nothing most of the time.

    The jobs that once were to be run are remembered: after a checkpoint Snakemake forgets those that are done.
    """

    def __init__(self, dag: Any) -> None:
        self._dag, self._known, self._counted = dag, set(), 0.0

    def __call__(self) -> int:
        if time.monotonic() - self._counted > 1:  # with 10,000 jobs a look takes milliseconds
            self._known |= {(job.rule.name, *map(str, job.output)) for job in jobs_to_run(self._dag)}
            self._counted = time.monotonic()
        return len(self._known)
