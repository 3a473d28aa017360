"""What the parts of the executor share: one run of a workflow, and each of its pilots."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from deeprc.core.events import PilotEvent, PilotState
from deeprc.core.masking import Masker
from deeprc.pilot import Pilot
from snakemake_executor_plugin_radical_pilot.events import Events
from snakemake_executor_plugin_radical_pilot.progress import Progress
from snakemake_executor_plugin_radical_pilot.records import Ended, Submitted
from snakemake_executor_plugin_radical_pilot.runs import RunFolder

Jobs = dict[str, tuple[SubmittedJobInfo, Submitted]]


class Reports(Protocol):
    """Where Snakemake hears of its jobs: the executor."""

    def run_job_pre(self, job: Any) -> None:
        """What Snakemake does before a job is handed over."""

    def submitted(self, info: SubmittedJobInfo) -> None:
        """A job was handed over."""

    def report_job_success(self, info: SubmittedJobInfo) -> None:
        """A job has ended well."""

    def report_job_error(self, info: SubmittedJobInfo, *, ended: Ended | None = None) -> None:
        """A job has failed."""


@dataclass
class WorkflowRun:
    """A run, whichever pilots it has.

    Attributes
    ----------
    events
        Where it is written down, from the first job on.
    failed
        Whether anything has.
    told
        What was said once, by rule: it is not said again.
    lock
        Snakemake submits in one thread and looks in another.
    pilots
        How many were planned: their folders are numbered.
    """

    workflow: Any
    dag: Any
    folder: RunFolder
    mask: Masker
    progress: Progress
    reports: Reports | None
    settings: Any
    events: Events | None = None
    failed: bool = False
    told: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    pilots: int = 0

    def tell_once(self, rule: str, text: str, line: str) -> None:
        """Say a line to the user, unless `text` was told of the rule before."""
        if (rule, text) not in self.told:
            self.told.add((rule, text))
            self.progress.say(line)


@dataclass
class State:
    """A pilot of a run, or those that follow each other in its place.

    Attributes
    ----------
    settings
        The executor's, with what its shape says instead.
    name
        What people call it; empty where the run has no other.
    pilot
        The one that runs jobs now, once it was started.
    began
        When it was started, seconds since the epoch.
    announced
        Whether the user has been told that it runs jobs.
    jobs
        Those with the pilot, by their task's name.
    """

    run: WorkflowRun
    settings: Any
    name: str = ""
    pilot: Pilot | None = None
    began: float = 0.0
    announced: bool = False
    jobs: Jobs = field(default_factory=dict)

    @property
    def called(self) -> str:
        """It, in a sentence."""
        return f"the pilot {self.name}" if self.name else "the pilot"

    def tell(self, what: PilotState, why: str | None = None) -> None:
        """Write down what has become of the pilot, and the batch system's reason for it."""
        there = self.pilot.allocation
        self.run.events.write(
            PilotEvent(
                time=time.time(), state=what, pilot=self.pilot.folder.name, partition=there.partition.name,
                nodes=there.nodes, cores=there.cores, gpus=there.gpus, why=why,
            )
        )  # fmt: skip
