"""How Snakemake takes SIGTERM (noted, whatever it is doing just then), and what an end leaves to do."""

from __future__ import annotations

import threading
from typing import Any

from snakemake_executor_plugin_radical_pilot.internals import scheduler_class


def note_at_once() -> None:
    """Have Snakemake's handler wait for no lock.

    Its own (9.27) takes the scheduler's lock, in the thread that the scheduler runs in: where the signal comes while
    that holds it, as it does whenever jobs have ended, the run stands still for ever. Called before Snakemake sets it.
    """
    scheduler_class().exit_gracefully = _exit_gracefully


def left(dag: Any) -> int:
    """How many jobs would have to run yet, those beside the pilot, too; none where all of the workflow is done."""
    return sum(1 for _ in dag.needrun_jobs())


def _exit_gracefully(self: Any, *_: object) -> None:
    self._user_kill = "graceful"
    # Of another thread, since this one may be in the midst of the semaphore.
    threading.Thread(target=self._open_jobs.release, daemon=True).start()
