"""The executor: Snakemake's jobs become tasks of pilots."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from deeprc.core.errors import DeepRCError
from deeprc.core.events import EndEvent
from deeprc.core.files import tail
from deeprc.core.masking import Masker, given
from deeprc.pilot import detached
from snakemake_executor_plugin_radical_pilot import detach, internals, nested, picking, sparing, terminating
from snakemake_executor_plugin_radical_pilot.counting import JobCount
from snakemake_executor_plugin_radical_pilot.finishing import Finishing
from snakemake_executor_plugin_radical_pilot.fleet import Fleet
from snakemake_executor_plugin_radical_pilot.interrupting import Interrupts
from snakemake_executor_plugin_radical_pilot.progress import Progress
from snakemake_executor_plugin_radical_pilot.records import Ended
from snakemake_executor_plugin_radical_pilot.refusing import RefusedError
from snakemake_executor_plugin_radical_pilot.runs import RunFolder
from snakemake_executor_plugin_radical_pilot.state import WorkflowRun
from snakemake_executor_plugin_radical_pilot.writer import Writer

ON_COMMAND_LINE = (
    "a secret was given on the command line ({}), where every user of this machine may have read it:"
    " give it by --configfile or by the environment"
)


class Executor(RemoteExecutor):
    """Runs jobs in pilots, each of which starts with the first job that needs it."""

    _fleet: Fleet | None = None  # here, since the polling thread starts before __post_init__
    _closed, _is_heard = False, True

    def __post_init__(self) -> None:
        folder = RunFolder(Path(self.workflow.executor_settings.folder))
        try:
            declared = self.envvars()
        except KeyError as error:
            raise WorkflowError(f"--envvars names {error}, which this environment has not") from None
        os.environ.update(declared)  # options of storage are among them
        mask = Masker.of(os.environ, self.workflow.config, argv=sys.argv)
        progress = Progress(JobCount(self.dag), mask)
        run = WorkflowRun(self.workflow, self.dag, folder, mask, progress, self, self.workflow.executor_settings)
        writer = Writer(self.workflow, folder, tuple(declared), self.format_job_exec, mask)
        internals.hold_limits(self.workflow)
        internals.keep_out()
        picking.pick_quickly()
        sparing.spare()
        terminating.note_at_once()
        self._interrupts = Interrupts()
        self._interrupts.attend()
        internals.mask_messages(mask)
        internals.hush(self.workflow, self._local_failed)
        # What is wrong with the site or a request is reported here, before any job runs, even a local one.
        try:
            folder.check()
            detach.refuse_two(folder.path.parent.parent)
            fleet = Fleet(run, writer)
            detach.require_one(run.settings, fleet.allocation)
            if run.settings.detach and not detached.kept():
                RemoteExecutor.shutdown(self)  # its polling thread
                detach.begin(folder.path.parent.parent, run.settings, fleet.allocation)
            hidden = internals.hide(self.workflow, folder.private.configuration)
            if hidden:
                fleet.make_folder()
                folder.private.write(folder.private.configuration, hidden)
        except DeepRCError as error:
            RemoteExecutor.shutdown(self)  # its polling thread, which would complain of the end
            raise RefusedError(str(error)) from None
        self._finishing = Finishing(self.workflow)
        self._run, self._fleet = run, fleet
        if shown := dict.fromkeys(secret.where for secret in given(sys.argv) if not secret.is_plain):
            progress.say(ON_COMMAND_LINE.format(", ".join(shown)))

    # A property, since an assignment in __post_init__ would come too late for the polling thread.
    @property
    def next_seconds_between_status_checks(self) -> float:
        """Pause between two looks at what ended; a look costs microseconds, however many jobs wait."""
        return 0.05

    def get_python_executable(self) -> str:
        """What Snakemakes inside begin with: modules come from nowhere but where they are installed (`-P`)."""
        python = super().get_python_executable()
        return f"{python} -P -m {nested.__name__}" if python == sys.executable else python

    def run_job(self, job) -> None:
        """Submit one job."""
        self.run_jobs([job])

    def run_jobs(self, jobs: list) -> None:
        """Submit the jobs that are ready, all in one message to the pilot."""
        picking.lift_rate(self.workflow)
        self._is_heard = sparing.is_heard()
        with self._run.lock:
            try:
                self._fleet.submit(jobs)
            except DeepRCError as error:
                raise RefusedError(str(error)) from None

    def printjob(self, job) -> None:
        """Have Snakemake say what it hands over, where anybody hears it."""
        if self._is_heard or sparing.is_told_apart(job):
            super().printjob(job)

    def submitted(self, info: SubmittedJobInfo) -> None:
        """Tell Snakemake that the pilot has a job."""
        # Not RemoteExecutor's: it keeps a list that is walked at every look, 10,000 waiting jobs or not.
        RealExecutor.report_job_submission(self, info)

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        """Tell Snakemake that a job has ended well."""
        self._finishing.add(job_info.job)

    def handle_job_error(self, job) -> None:
        """Called by Snakemake where a job has failed, before it is tried again."""
        internals.retry(self.dag, job)

    async def check_active_jobs(self, active_jobs: list) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report the jobs that ended since the last look; the waiting ones are kept here, so nothing is yielded."""
        if self._fleet is None or not self._fleet.begun:
            return
        try:
            self._fleet.look()
        finally:
            self._finishing.tell()
        for info in active_jobs:
            yield info

    def print_job_error(
        self, job_info: SubmittedJobInfo, msg: str | None = None, *, ended: Ended | None = None, **kwargs
    ) -> None:
        """The failed stage's name, the end of its log and where the whole log is; once, and nothing else."""
        if ended is not None:
            self._run.progress.failed(ended.of.stage.label, ended.why(), ended.last_lines(), ended.log())

    def _local_failed(self, rule: str, logs: list[str]) -> None:
        own = next((name for name in logs if tail(Path(name))), "")
        words = tail(Path(own)) if own else []
        self._run.progress.failed(rule, "it ran beside the pilot", words, own or "none")

    def cancel(self) -> None:
        """End all jobs and the pilots (Ctrl-C)."""
        self._interrupts.end()
        self._fleet.cancel(self._interrupts.hurry)
        self.shutdown()

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End these jobs."""
        for lane in self._fleet.lanes if active_jobs else ():
            lane.state.pilot.cancel([info.external_jobid for info in active_jobs])

    def shutdown(self) -> None:
        """Close the pilots; their files go, unless something failed or `--radical-pilot-keep` was given."""
        self._interrupts.end()
        super().shutdown()
        run = self._run
        if not self._fleet.begun or self._closed:
            run.folder.private.remove()
            return
        self._closed = True
        run.events.write(EndEvent(time=time.time(), left=terminating.left(self.dag)))
        keep = run.failed or run.settings.keep
        tidying = threading.Thread(target=run.folder.tidy)
        if not keep:  # nothing runs any more: meanwhile the pilots end
            tidying.start()
        self._fleet.close(keep=keep)
        run.folder.private.remove()
        if not keep:
            tidying.join()
            run.folder.tidy()  # what was written meanwhile
        else:
            run.progress.say(f"the files of the pilot and its jobs were kept: {run.folder.path}")
