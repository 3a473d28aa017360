"""Jobs become tasks of the pilot: with their scripts written, and written down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from deeprc.core.events import RunImage
from deeprc.launch import Plan
from deeprc.pilot import Task
from deeprc.pilot.foresight import Expected
from deeprc.pilot.tasks import Shape
from snakemake_executor_plugin_radical_pilot import direct, internals, sparing
from snakemake_executor_plugin_radical_pilot.asking import Asking
from snakemake_executor_plugin_radical_pilot.foreseeing import expected
from snakemake_executor_plugin_radical_pilot.image import used
from snakemake_executor_plugin_radical_pilot.records import Stage, Submitted
from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.runs import JobFiles
from snakemake_executor_plugin_radical_pilot.state import State, WorkflowRun
from snakemake_executor_plugin_radical_pilot.writer import Writer

IN_COMMAND = (
    "its command holds a secret ({}), which every user of its machine can read as it runs: have it read a variable"
)


class Planned(NamedTuple):
    """A job before it is prepared: its task's name, how it is told of, what it asks for, its files, its launch."""

    uid: str
    stage: Stage
    asked: Request
    files: JobFiles
    plan: Plan


class Submitting:
    """Makes the tasks of a run's jobs."""

    def __init__(self, state: State, asking: Asking, writer: Writer, numbers: Iterator[int]) -> None:
        self._state, self._asking, self._writer = state, asking, writer
        self._numbers = numbers  # of jobs, in the names of their tasks
        self._images: dict[tuple, RunImage | None] = {}

    def tasks(self, jobs: list, *, again: bool = False) -> list[Task]:
        """What the pilot is to run for these jobs; one that cannot be run fails alone, whatever the reason.

        `again`: another pilot had them before.
        """
        planned: dict[Any, Planned] = {}
        made = []
        for job in jobs:
            with self._alone(job):
                planned[job] = self._plan(job, again=again)
        workflow = self._state.run.workflow
        failed = sparing.prepare([job for job in planned if direct.is_direct(job, workflow)], workflow)
        for job, each in planned.items():
            with self._alone(job):
                if job in failed:
                    raise failed[job]
                made.append(self._task(job, each, again=again))
        return made

    def foresee(self) -> dict[Shape, Expected]:
        """The warm workers that jobs of the run will need of the pilot, as far as that is known."""
        return expected(self._state.run.dag, self._foreseen, str(self._state.run.folder.private.environment))

    def _foreseen(self, job) -> Shape | None:
        """What the warm worker of a job will be; None where it has none, or is not for this pilot.

        Not of a gang: its launcher and MPI do not end at once where a job that is ready wants its cores.
        """
        if not self._asking.takes(job):
            return None
        pilot = self._state.pilot
        asked = self._asking.request(job, pilot)
        if not asked.warm or asked.ranks > 1 or asked.minutes * 60 > pilot.allocation.remaining:
            return None
        task = self._asking.task(job, asked, pilot)
        files = JobFiles(self._state.run.folder.path)  # its own will be below
        return task.shape if self._is_warm(job, asked, pilot.planner.plan(task), files) else None

    def _is_warm(self, job, asked: Request, plan: Plan, files: JobFiles) -> bool:
        """Whether a job finds its imports done, if it wants that."""
        if plan.runtime and not self._writer.seen(job, files, self._state.pilot):
            return False  # a container of its own, then: the worker's does not see all of its files
        # Of several ranks, else the launcher starts them: only a shell finds out what they need.
        return asked.ranks == 1 or not (plan.modules or "$" in "".join(plan.environment.values()))

    @contextlib.contextmanager
    def _alone(self, job) -> Iterator[None]:
        """Whatever goes wrong with a job is its own end, and not that of others."""
        try:
            yield
        except Exception as error:
            self._state.jobs = {uid: each for uid, each in self._state.jobs.items() if each[0].job is not job}
            give_up(self._state.run, job, error)

    def _plan(self, job, *, again: bool) -> Planned:
        pilot = self._state.pilot
        if not again:
            self._state.run.reports.run_job_pre(job)
        stage = direct.stage(job)
        asked = self._asking.request(job, pilot)
        uid = f"{stage.rule.replace(' ', '-')}.{next(self._numbers)}"
        files = self._state.run.folder.job(uid)
        plan = pilot.planner.plan(self._asking.task(job, asked, pilot))
        if asked.warm and not self._is_warm(job, asked, plan, files):
            asked = replace(asked, warm=())
        return Planned(uid, stage, asked, files, plan)

    def _task(self, job, planned: Planned, *, again: bool) -> Task:
        state, pilot = self._state, self._state.pilot
        uid, stage, asked, files, plan = planned
        written = self._writer.write(job, stage.label, files, asked, plan, pilot)
        task = replace(
            self._asking.task(job, asked, pilot),
            uid=uid,
            sample=str(files.sample) if direct.has_benchmark(job) else None,
            folder=str(files.folder),
            **written.task,
        )
        plan = replace(plan, command=written.command)
        told = written.own, self._image(plan), not direct.is_direct(job, state.run.workflow)
        if held := ", ".join(state.run.mask.found(told[0])):
            state.run.tell_once(stage.rule, held, f"rule {stage.rule}: {IN_COMMAND.format(held)}")
        more = *told, pilot.folder.name, written.script
        submitted = Submitted(stage, asked, files, written.workdir, plan.argv, time.time(), *more)
        info = SubmittedJobInfo(job, external_jobid=uid)
        state.jobs[uid] = info, submitted
        state.run.events.write(submitted.event())
        if not again:
            state.run.reports.submitted(info)
        return task

    def _image(self, plan: Plan) -> RunImage | None:
        """The image of a plan; the store is looked at once, not once per job."""
        key, pilot = (plan.image, *plan.runtime, *plan.files), self._state.pilot
        if key not in self._images:
            self._images[key] = used(plan, pilot.pulls.store, pilot.allocation.partition.architecture)
        return self._images[key]


def give_up(run: WorkflowRun, job, error: Exception) -> None:
    """A job that cannot be run has failed."""
    run.failed = True
    rows = str(error).splitlines() or [type(error).__name__]
    run.progress.failed(direct.rule_name(job), "it cannot be run", rows, "none")
    with contextlib.suppress(Exception):  # its message may be what cannot be made
        run.events.write(direct.stage(job).event("failed", time.time()))
    internals.give_up(job)
    run.reports.report_job_error(SubmittedJobInfo(job))
