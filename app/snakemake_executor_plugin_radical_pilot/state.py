"""What the parts of the executor share: one run of a workflow."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Protocol

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

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
class State:
    """A run.

    Attributes
    ----------
    events
        Where it is written down, from the first job on.
    pilot
        The one that runs jobs now, from the first job on.
    began
        When it was started, seconds since the epoch.
    announced
        Whether the user has been told that it runs jobs.
    jobs
        Those with the pilot, by their task's name.
    failed
        Whether anything has.
    told
        What was said once, by rule: it is not said again.
    lock
        Snakemake submits in one thread and looks in another.
    """

    workflow: Any
    dag: Any
    folder: RunFolder
    mask: Masker
    progress: Progress
    reports: Reports
    events: Events | None = None
    pilot: Pilot | None = None
    began: float = 0.0
    announced: bool = False
    jobs: Jobs = field(default_factory=dict)
    failed: bool = False
    told: set[tuple[str, str]] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def settings(self) -> Any:
        """The executor's."""
        return self.workflow.executor_settings

    def tell_once(self, rule: str, text: str, line: str) -> None:
        """Say a line to the user, unless `text` was told of the rule before."""
        if (rule, text) not in self.told:
            self.told.add((rule, text))
            self.progress.say(line)
