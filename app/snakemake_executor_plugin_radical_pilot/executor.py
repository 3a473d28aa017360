"""The executor: Snakemake's jobs become tasks of one pilot."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.events import PilotEvent, RunEvent, RunImage
from deeprc.core.files import free_megabytes, tail
from deeprc.core.masking import Masker, given
from deeprc.core.shipped import installed
from deeprc.launch import Plan
from deeprc.pilot import Outcome, Pilot, Task, inside
from deeprc.pilot.client import GONE
from deeprc.pilot.environment import users
from deeprc.sites import load_site
from deeprc.sites.identity import require
from snakemake_executor_plugin_radical_pilot import direct, nested
from snakemake_executor_plugin_radical_pilot.events import PACKAGES, Events
from snakemake_executor_plugin_radical_pilot.image import used
from snakemake_executor_plugin_radical_pilot.progress import Progress
from snakemake_executor_plugin_radical_pilot.records import Ended, Submitted
from snakemake_executor_plugin_radical_pilot.resources import Request, check, check_models, request, without_effect
from snakemake_executor_plugin_radical_pilot.runs import RunFolder, last_words
from snakemake_executor_plugin_radical_pilot.writer import Writer

LAST_WORDS = 15.0  # seconds after the end of a worker in which its pilot's end may become known
HUNG = 15.0  # seconds without a job that runs after which a run that was asked to end waits no longer
FULL = 5  # MB of free space below which a pilot's folder counts as full
SAMPLED = "mem_mb is kept by looking at what a job's processes use, about once a second: no cgroup holds them to it"
ON_COMMAND_LINE = (
    "a secret was given on the command line ({}), where every user of this machine may have read it:"
    " give it by --configfile or by the environment"
)
IN_COMMAND = (
    "its command holds a secret ({}), which every user of its machine can read as it runs: have it read a variable"
)
STARTUP_LIMIT = 300.0  # seconds that a pilot without a queue may take to become active


class Executor(RemoteExecutor):
    """Runs jobs in one pilot, which starts with the first job that needs it."""

    _pilot: Pilot | None = None  # here, since the polling thread starts before __post_init__

    def __post_init__(self) -> None:
        self._run = RunFolder(Path(self.workflow.executor_settings.folder))
        try:
            declared = self.envvars()
        except KeyError as error:
            raise WorkflowError(f"--envvars names {error}, which this environment has not") from None
        os.environ.update(declared)  # options of storage are among them
        self._mask = Masker.of(os.environ, self.workflow.config, argv=sys.argv)
        self._progress = Progress(direct.JobCount(self.dag), self._mask)
        self._events: Events | None = None
        self._jobs: dict[str, tuple[SubmittedJobInfo, Submitted]] = {}  # those with the pilot, by their task's name
        self._numbers = itertools.count(1)
        self._failed = self._announced = False
        self._taken, self._replacing = 0, False  # pilots
        self._ran = time.monotonic()  # when a job was last seen running, or nobody had asked the run to end
        self._held: list[Task] = []  # for the next pilot, since this one does not live long enough
        self._lost: dict[str, tuple[Outcome, float]] = {}  # with what ran them, and when: did the pilot end, too?
        self._images: dict[tuple, RunImage | None] = {}
        self._vain: set[tuple[str, str]] = set()  # rules and what they ask for without effect, told already
        self._writer = Writer(self.workflow, self._run, tuple(declared), self.format_job_exec, self._mask)
        direct.hold_limits(self.workflow)
        direct.keep_out()
        self._lock = threading.RLock()  # Snakemake submits in one thread and looks in another
        direct.mask_messages(self._mask)
        direct.hush(self.workflow, self._local_failed)
        # What is wrong with the site or a request is told here, before any job runs, local ones neither.
        try:
            self._run.check()
            self._planned = self._plan()
            self._hidden = direct.hide(self.workflow, self._run.private.configuration)
            if self._hidden:
                self._make_folder()
                self._run.private.write(self._run.private.configuration, self._hidden)
        except DeepRCError as error:
            raise WorkflowError(str(error)) from None
        if shown := dict.fromkeys(secret.where for secret in given(sys.argv) if not secret.is_plain):
            self._progress.say(ON_COMMAND_LINE.format(", ".join(shown)))

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
        with self._lock:
            try:
                if self._pilot is None:
                    self._begin()
                elif self._pilot.ended and not self._may_replace:
                    raise WorkflowError("the pilot has ended: no more jobs can run")
            except DeepRCError as error:
                raise WorkflowError(str(error)) from None
            self._submit(self._tasks(jobs))

    def _tasks(self, jobs: list, *, again: bool = False) -> list[Task]:
        """What the pilot is to run for these jobs; one that cannot be run fails alone, whatever the reason."""
        tasks = []
        for job in jobs:
            try:
                tasks.append(self._task(job, again=again))
            except Exception as error:
                self._failed = True
                rows = str(error).splitlines() or [type(error).__name__]
                self._progress.failed(direct.rule_name(job), "it cannot be run", rows, "none")
                self._jobs = {uid: each for uid, each in self._jobs.items() if each[0].job is not job}
                with contextlib.suppress(Exception):  # its message may be what cannot be made
                    self._events.write(direct.stage(job).event("failed", time.time()))
                direct.give_up(job)
                self.report_job_error(SubmittedJobInfo(job))
        return tasks

    def handle_job_error(self, job) -> None:
        """Called by Snakemake where a job has failed, before it is tried again."""
        direct.retry(self.dag, job)

    def _submit(self, tasks: list[Task]) -> None:
        """Hand tasks to the pilot, less those that it would not live to see the end of."""
        late = [task for task in tasks if task.timeout and task.timeout > self._pilot.remaining]
        self._held += late
        self._pilot.submit([task for task in tasks if task not in late])

    def _plan(self) -> Pilot:
        """The pilot that will be started, if a job needs it; it has all that any job asks for."""
        settings = self.workflow.executor_settings
        site = load_site(settings.site)
        if site.status.state == "retired":
            successor = f"take its successor, {site.status.successor}" if site.status.successor else None
            raise ConfigError(f"{site.name} was retired on {site.status.retired}", fix=successor)
        require(site)
        pilot = Pilot(
            site,
            self._run.path / f"pilot-{self._taken + 1}",
            partition=settings.partition,
            nodes=settings.nodes,
            cores=settings.cores,
            runtime=settings.runtime,
            queueing=settings.queueing,
            image=settings.image,
            grace=settings.grace,
            say=self._progress.say,
        )
        pilot.private = self._run.private.paths
        pilot.pulls.environment = self._run.private.environment
        pilot.sees = inside.folders(
            [self.workflow.workdir_init, Path.cwd(), self._run.path, tempfile.gettempdir()]
            + [path for job in direct.jobs_to_run(self.dag) for path in (*job.input, *job.output, *job.log)]
        )
        for job in direct.jobs_to_run(self.dag):
            # A resource that is computed from a file which is not there yet is checked when the job's turn comes.
            with contextlib.suppress(WorkflowError):
                self._asked(job, pilot)
        return pilot

    def _asked(self, job, pilot: Pilot) -> Request:
        """What a job asks for; an error where that is more than the pilot has."""
        rule = direct.rule_name(job)
        raw = direct.fractions(job) | ({} if direct.asks_for_memory(job) else {"mem_mb": 0})
        asked = request(rule, job.resources, job.threads, raw)
        if pilot.contains and not inside.knows(pilot.site):
            asked = replace(
                asked, warm=()
            )  # a worker in an image is for runtimes whose containers are told what they see
        memory = pilot.nodes * (pilot.partition.memory_mb or sys.maxsize)  # where nobody has told, anything goes
        check(rule, asked, cores=pilot.cores, gpus=pilot.gpus, memory_mb=memory, minutes=pilot.runtime)
        accelerator = pilot.partition.accelerator
        check_models(rule, asked, accelerator.model if accelerator else None)
        try:
            plan = pilot.plan(self._described(job, asked, pilot))
        except DeepRCError as error:
            raise DeepRCError(
                f"rule {rule}: {error.problem}", found=error.found, expected=error.expected, fix=error.fix
            ) from None
        if plan.refused:
            raise DeepRCError(f"rule {rule}: {plan.reason}", fix=plan.fix)
        own = "the pilot has its own for the whole workflow"
        for told in [*(f"{name} has no effect, {own}" for name in without_effect(job.resources)), *plan.warnings]:
            if (rule, told) not in self._vain:
                self._vain.add((rule, told))
                self._progress.say(f"rule {rule}: {told}")
        if (
            asked.memory_mb
            and pilot.site.launcher_on(pilot.partition).name != "srun"
            and ("", SAMPLED) not in self._vain
        ):
            self._vain.add(("", SAMPLED))
            self._progress.say(SAMPLED)
        return asked

    def _described(self, job, asked: Request, pilot: Pilot) -> Task:
        """What the pilot is to be told of a job, less its name and its files."""
        return Task(
            "",
            [],
            asked.ranks,
            asked.cores_per_rank,
            asked.gpus_per_rank,
            asked.warm,
            memory_mb=-(-asked.memory_mb // asked.ranks),
            timeout=asked.minutes * 60 or None,
            nodes=asked.nodes,
            comm=asked.comm,
            contained=pilot.contains and direct.is_direct(job, self.workflow),
        )

    @property
    def _may_replace(self) -> bool:
        return self._taken < self.workflow.executor_settings.pilots and not direct.asked_to_end(self.workflow)

    def _begin(self) -> None:
        """Write down the run and start the first pilot."""
        self._planned.check_modules()
        if not self._hidden:
            self._make_folder()
        environment = users(os.environb, elsewhere=self._planned.batch)
        self._run.private.write(self._run.private.environment, environment)
        self._events = Events(self._run.path / "events.jsonl", self._mask)
        pilot = self._planned
        self._events.write(
            RunEvent(
                time=time.time(),
                run=self._run.id,
                site=pilot.site.name,
                host=self._run.host,
                cores=pilot.cores,
                versions=installed(PACKAGES),
                command=sys.argv,
            )
        )
        self._start(pilot)

    def _make_folder(self) -> None:
        if left := self._run.create():
            self._progress.say(f"a run of this folder was killed: {left} processes that it had left here were ended")

    def _start(self, pilot: Pilot) -> None:
        self._pilot, self._began, self._announced = pilot, time.time(), False
        self._taken += 1
        self._progress.say(f"starting a pilot on {pilot.site.name}: {pilot.cores} cores")
        self._tell_pilot("starting")
        pilot.start()

    def _replace(self, reason: str) -> None:
        """Take another pilot, and hand it what the last one did not finish.

        In a thread of its own: Snakemake prepares jobs in an event loop, and this one looks in the midst of another.
        """
        with self._lock:
            try:
                self._hand_over(reason)
            except Exception as error:
                self._lose_jobs(f"{reason}; no other one could be taken: {error}")
            self._replacing = False

    def _hand_over(self, reason: str) -> None:
        again = [(info, submitted) for info, submitted in self._jobs.values()]
        self._progress.say(f"the pilot has ended ({reason}): taking another one for {len(again)} jobs")
        for info, submitted in again:
            outcome = Outcome(info.external_jobid, "LOST", None, [], reason)
            self._events.write(submitted.ended(outcome).event(time.time()))
        self._tell_pilot("closing")
        self._pilot.close(keep=True)
        self._tell_pilot("closed")
        for waiting in (self._jobs, self._held, self._lost):
            waiting.clear()
        self._start(self._plan())
        self._submit(self._tasks([info.job for info, _ in again], again=True))

    def _task(self, job, *, again: bool = False) -> Task:
        if not again:
            self.run_job_pre(job)
        stage = direct.stage(job)
        asked = self._asked(job, self._pilot)
        uid = f"{stage.rule.replace(' ', '-')}.{next(self._numbers)}"
        files = self._run.job(uid)
        plan = self._pilot.plan(self._described(job, asked, self._pilot))
        if asked.warm and plan.runtime and not self._writer.seen(job, files, self._pilot):
            asked = replace(asked, warm=())  # a container of its own, then: the worker's does not see all of its files
        written = self._writer.write(job, stage.label, files, asked, plan, self._pilot)
        task = replace(
            self._described(job, asked, self._pilot),
            uid=uid,
            sample=str(files.sample) if direct.has_benchmark(job) else None,
            folder=str(files.folder),
            **written.task,
        )
        plan = replace(plan, command=written.command)
        told = direct.own_command(job), self._image(plan), not direct.is_direct(job, self.workflow)
        held = ", ".join(self._mask.found(told[0]))
        if held and (stage.rule, held) not in self._vain:
            self._vain.add((stage.rule, held))
            self._progress.say(f"rule {stage.rule}: {IN_COMMAND.format(held)}")
        submitted = Submitted(stage, asked, files, written.workdir, plan.argv, time.time(), *told)
        info = SubmittedJobInfo(job, external_jobid=uid)
        self._jobs[uid] = info, submitted
        self._events.write(submitted.event())
        # Not RemoteExecutor's: it keeps a list that is walked at every look, 10,000 waiting jobs or not.
        if not again:
            RealExecutor.report_job_submission(self, info)
        return task

    def _image(self, plan: Plan) -> RunImage | None:
        """The image of a plan; the store is looked at once, not once per job."""
        key = (plan.image, *plan.runtime, *plan.files)
        if key not in self._images:
            self._images[key] = used(plan, self._pilot.pulls.store, self._pilot.partition.architecture)
        return self._images[key]

    async def check_active_jobs(self, active_jobs: list) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report the jobs that ended since the last look; the waiting ones are kept here, so nothing is yielded."""
        if self._pilot is None:
            return
        if not self._announced:
            self._announce()
        with self._lock:
            if not self._replacing:
                self._look()
        if self._announced:
            self._show_status()
        if self._progress.silent and self._jobs and not self._replacing:
            self._heartbeat()
        for info in active_jobs:
            yield info

    def _look(self) -> None:
        """Take note of what ended."""
        now = time.monotonic()
        for outcome in self._pilot.outcomes():
            if outcome.state == "LOST":
                self._lost[outcome.uid] = outcome, now
            else:
                self._end(outcome)
        if self._pilot.running or not direct.asked_to_end(self.workflow):
            self._ran = now
        elif self._jobs and now - self._ran > HUNG:
            self._pilot.fail(f"the run was asked to end, and none of its jobs has run for {HUNG:.0f} s")
        only_held = self._held and len(self._held) == len(self._jobs)
        if only_held and not self._may_replace:
            self._pilot.fail(
                f"it lives for {self._pilot.remaining / 60:.0f} min more, less than the runtime of its jobs"
            )
        if self._jobs and (self._pilot.ended or only_held):
            reason = self._pilot.why
            if self._may_replace:
                why = "what is left to do takes longer than it lives" if only_held else reason
                self._replacing = True
                threading.Thread(target=self._replace, args=(why,), daemon=True).start()
                return
            self._lose_jobs(reason)
        for uid, (outcome, since) in list(self._lost.items()):
            if now - since > LAST_WORDS:
                del self._lost[uid]
                self._end(outcome)

    def _announce(self) -> None:
        """Tell when the pilot has become active, and give it up when that takes too long."""
        seconds = time.time() - self._began
        if self._pilot.active:
            self._announced = True
            self._tell_pilot("active")
            self._progress.say(f"the pilot is ready ({seconds:.0f} s)")
        elif seconds > STARTUP_LIMIT and self._pilot.site.scheduler.name == "fork":
            self._pilot.fail(f"it did not start within {STARTUP_LIMIT:.0f} s")

    def _show_status(self) -> None:
        running = [self._jobs[uid][1].asked for uid in list(self._pilot.running) if uid in self._jobs]
        used = sum(asked.cores for asked in running)
        self._progress.status(len(running), len(self._jobs) - len(running), f"{used} of {self._pilot.cores} cores")

    def _heartbeat(self) -> None:
        if not self._announced:
            state = self._pilot.queue_state
            self._progress.say(f"the pilot is {state or 'still starting'} · {len(self._jobs)} waiting")
            return
        now, running = time.time(), self._pilot.running.copy()
        known = {uid: now - since for uid, since in running.items() if uid in self._jobs}
        names = [(self._jobs[uid][1].stage.label, seconds) for uid, seconds in known.items()]
        self._progress.heartbeat(names, len(self._jobs) - len(names))

    def _end(self, outcome: Outcome) -> None:
        info, submitted = self._jobs.pop(outcome.uid, (None, None))
        if info is None:  # cancelled, and reported already
            return
        try:
            self._conclude(info, submitted, outcome)
        except Exception as error:  # whatever a job leaves behind, the others go on
            self._failed = True
            why = f"its end could not be taken in: {type(error).__name__}: {error}"
            self._progress.failed(submitted.stage.label, why, [], str(submitted.files.folder))
            self.report_job_error(info)

    def _conclude(self, info: SubmittedJobInfo, submitted: Submitted, outcome: Outcome) -> None:
        submitted.join_output()
        ended, stage = submitted.ended(outcome), submitted.stage
        event = ended.event(time.time())
        self._events.write(event)
        if ended.failed:
            self._failed = True
            self.report_job_error(info, ended=ended)
            return
        if direct.has_benchmark(info.job) and direct.is_direct(info.job, self.workflow):
            seconds = [stop - start for start, stop in submitted.files.times()]
            direct.write_benchmark(info.job, self.workflow, seconds, submitted.files.samples())
        seconds = event.stop - event.start if event.start is not None else 0.0
        self._progress.finished(stage.label, seconds, len(self._pilot.running), stage.jobs)
        self.report_job_success(info)

    def _lose_jobs(self, reason: str) -> None:
        """The pilot ended before its jobs: say so once, and give them up."""
        self._failed = True
        unknown = self._pilot.reason in (None, GONE)
        words, log = last_words(self._pilot.folder) if unknown else ([], self._pilot.logs)
        if free_megabytes(self._pilot.folder) < FULL:
            reason = f"{reason}; no space is left in {self._pilot.folder}"
        self._progress.failed("the pilot", reason, words, str(log))
        lost = list(self._jobs.values())
        for waiting in (self._jobs, self._held, self._lost):
            waiting.clear()
        for info, submitted in lost:
            outcome = Outcome(info.external_jobid, "FAILED", None, [], reason)
            self._events.write(submitted.ended(outcome).event(time.time()))
            self.report_job_error(info)

    def _local_failed(self, rule: str, logs: list[str]) -> None:
        own = next((name for name in logs if tail(Path(name))), "")
        self._progress.failed(rule, "it ran beside the pilot", tail(Path(own)) if own else [], own or "none")

    def print_job_error(
        self, job_info: SubmittedJobInfo, msg: str | None = None, *, ended: Ended | None = None, **kwargs
    ) -> None:
        """The failed stage's name, the end of its log and where the whole log is; once, and nothing else."""
        if ended is not None:
            self._progress.failed(ended.of.stage.label, ended.why(), ended.last_lines(), ended.log())

    def cancel(self) -> None:
        """End all jobs and the pilot (Ctrl-C)."""
        self._failed = True
        with self._lock:
            for uid in [uid for uid in list(self._pilot.running) if uid in self._jobs] if self._pilot else []:
                outcome = Outcome(uid, "CANCELED", None, [], "the workflow was interrupted")
                self._events.write(self._jobs[uid][1].ended(outcome).event(time.time()))
            self._jobs.clear()  # nobody wants to hear of each of 10,000
        if self._pilot and self._pilot.running:
            self._progress.say(f"the running jobs get {self._pilot.grace:g} s to end; Ctrl-C again ends them at once")
        if self._pilot:
            with contextlib.suppress(KeyboardInterrupt):
                self._pilot.settle()
        self.shutdown()

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End these jobs."""
        if self._pilot is not None and active_jobs:
            self._pilot.cancel([info.external_jobid for info in active_jobs])

    def shutdown(self) -> None:
        """Close the pilot; its files go, unless something failed or `--radical-pilot-keep` was given."""
        super().shutdown()
        if self._pilot is None or self._pilot.state == "CLOSED":
            self._run.private.remove()
            return
        keep = self._failed or self.workflow.executor_settings.keep
        self._tell_pilot("closing")
        self._pilot.close(keep=keep)
        self._tell_pilot("closed")
        self._run.private.remove()
        if not keep:
            self._run.tidy()
        else:
            self._progress.say(f"the files of the pilot and its jobs were kept: {self._run.path}")

    def _tell_pilot(self, state: str) -> None:
        self._events.write(PilotEvent(time=time.time(), state=state, cores=self._pilot.cores))
