"""The executor: Snakemake's jobs become tasks of one pilot."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from deeprc.errors import DeepRCError
from deeprc.pilot import Outcome, Pilot, Task
from deeprc.sites import load_site
from snakemake_executor_plugin_radical_pilot import direct
from snakemake_executor_plugin_radical_pilot.events import Events
from snakemake_executor_plugin_radical_pilot.progress import Progress
from snakemake_executor_plugin_radical_pilot.resources import Request, check, request
from snakemake_executor_plugin_radical_pilot.runs import JobFiles, RunFolder, tail
from snakemake_executor_plugin_radical_pilot.script import environment_text, job_environment, job_text

PACKAGES = ("deeprc", "snakemake", "radical.pilot", "mpi4py", "mpich", "polars", "pyarrow", "torch", "tensorflow-cpu")
STARTUP_LIMIT = 180.0  # seconds that a pilot without a queue may take to become active


@dataclass
class Running:
    """A job that is with the pilot."""

    info: SubmittedJobInfo
    asked: Request
    files: JobFiles
    label: str
    submitted: float


class Executor(RemoteExecutor):
    """Runs jobs in one pilot, which starts with the first job that needs it."""

    def __post_init__(self) -> None:
        settings = self.workflow.executor_settings
        self._run = RunFolder(Path(settings.folder))
        self._progress = Progress(lambda: direct.count_jobs(self.dag))
        self._pilot: Pilot | None = None
        self._events: Events | None = None
        self._jobs: dict[str, Running] = {}
        self._failed = self._announced = False

    # A property: the polling thread starts before __post_init__, where an assignment would come too late.
    @property
    def next_seconds_between_status_checks(self) -> float:
        """Pause between two looks at what ended; a look costs microseconds, however many jobs wait."""
        return 0.05

    def run_job(self, job) -> None:
        """Submit one job."""
        self.run_jobs([job])

    def run_jobs(self, jobs: list) -> None:
        """Submit the jobs that are ready, all in one message to the pilot."""
        try:
            self._start_pilot()
            tasks = [self._task(job) for job in jobs]
        except DeepRCError as error:
            raise WorkflowError(str(error)) from None
        self._pilot.submit(tasks)

    def _task(self, job) -> Task:
        self.run_job_pre(job)
        rule = job.rule.name if not job.is_group() else f"group {job.groupid}"
        asked = request(rule, job.resources, job.threads)
        pilot = self._pilot
        check(rule, asked, cores=pilot.cores, gpus=pilot.gpus, memory_mb=pilot.nodes * pilot.partition.memory_mb)
        uid = f"{'group' if job.is_group() else rule}.{job.jobid}.{job.attempt}"
        files = self._run.job(uid)
        self._write_script(job, files, asked)
        info = SubmittedJobInfo(job, external_jobid=uid)
        self._jobs[uid] = Running(info, asked, files, direct.label(job), time.time())
        # Not RemoteExecutor's: it keeps a list that is walked at every look, 10,000 waiting jobs or not.
        RealExecutor.report_job_submission(self, info)
        return Task(uid, ["/bin/bash", str(files.script)], asked.ranks, asked.cores_per_rank, asked.gpus_per_rank)

    def _write_script(self, job, files: JobFiles, asked: Request) -> None:
        if direct.is_direct(job, self.workflow):
            direct.prepare(job, self.workflow)
            command, shell = direct.command(job), direct.shell_of(job)
            workdir, repeats, tmpdir = direct.workdir(job, self.workflow), direct.repeats(job), direct.tmpdir(job)
        else:
            command, shell = self.format_job_exec(job) + "\n", "/bin/bash"
            workdir, repeats, tmpdir = Path(self.workflow.workdir_init), 1, None
            if asked.ranks > 1:
                raise DeepRCError(
                    f"{direct.label(job)}: asks for {asked.ranks} ranks, but only `shell:` rules can have several",
                    fix="call the script from `shell:`, or leave out `tasks`",
                )
        (files.folder / "command.sh").write_text(command)
        variables = job_environment(threads=job.threads, tmpdir=tmpdir, ranks=asked.ranks, run=self._run.path)
        text = job_text(
            label=direct.label(job),
            folder=files.folder,
            workdir=workdir,
            shell=shell,
            ranks=asked.ranks,
            repeats=repeats,
            environment=self._run.path / "environment.sh",
            variables=variables | self.envvars(),
        )
        files.script.write_text(text)

    def _start_pilot(self) -> None:
        if self._pilot is not None:
            return
        settings = self.workflow.executor_settings
        site = load_site(settings.site)
        self._run.create()
        environment = self._run.path / "environment.sh"
        environment.touch(mode=0o600)
        environment.write_text(environment_text(os.environ))
        self._events = Events(self._run.path / "events.jsonl")
        versions = {}
        for package in PACKAGES:
            try:
                versions[package] = version(package)
            except ModuleNotFoundError:  # not part of this installation
                continue
        self._pilot = Pilot(
            site,
            self._run.path / "pilot",
            partition=settings.partition,
            nodes=settings.nodes,
            cores=settings.cores,
            runtime=settings.runtime,
        )
        self._events.write(
            "run",
            run=self._run.id,
            site=site.name,
            host=self._run.host,
            cores=self._pilot.cores,
            versions=versions,
            command=sys.argv,
        )
        self._began = time.time()
        self._progress.say(f"starting a pilot on {site.name}: {self._pilot.cores} cores")
        self._events.write("pilot", state="starting", cores=self._pilot.cores)
        self._pilot.start()

    async def check_active_jobs(self, active_jobs: list) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report the jobs that ended since the last look; the waiting ones are kept here, so nothing is yielded."""
        if self._pilot is None:
            return
        if self._pilot.state == "PMGR_ACTIVE" and not self._announced:
            self._announced = True
            self._events.write("pilot", state="active", cores=self._pilot.cores)
            self._progress.say(f"the pilot is ready ({time.time() - self._began:.0f} s)")
        for outcome in self._pilot.outcomes():
            self._end(outcome)
        if self._jobs and not self._pilot.ended and not self._announced:
            self._bound_startup()
        if self._pilot.ended and self._jobs:
            reason = self._pilot.reason or f"its state is {self._pilot.state}"
            for uid in list(self._jobs):
                self._end(Outcome(uid, "FAILED", None, [], f"the pilot ended: {reason}"))
        if self._progress.silent:
            running = [
                (job.label, time.time() - begun) for job in self._jobs.values() if (begun := job.files.started())
            ]
            self._progress.heartbeat(running, len(self._jobs) - len(running))
        for info in active_jobs:
            yield info

    def _bound_startup(self) -> None:
        if time.time() - self._began > STARTUP_LIMIT and self._pilot.site.scheduler == "fork":
            self._pilot.fail(f"it did not start within {STARTUP_LIMIT:.0f} s")

    def _end(self, outcome: Outcome) -> None:
        running = self._jobs.pop(outcome.uid, None)
        if running is None:  # cancelled, and reported already
            return
        job, files = running.info.job, running.files
        times = files.times()
        failed = outcome.state != "DONE"
        code = files.exit_code() if failed else 0
        code = outcome.code if code is None else code
        self._join_output(job, running)
        stop = times[-1][1] if times else time.time()
        start = times[0][0] if times else files.started() or stop
        self._events.write(
            "job",
            state="failed" if failed else "finished",
            job=job.jobid,
            rule="group" if job.is_group() else job.rule.name,
            wildcards={} if job.is_group() else dict(job.wildcards_dict),
            label=running.label,
            ranks=running.asked.ranks,
            cores_per_rank=running.asked.cores_per_rank,
            cores=[core for _, core in outcome.cores],
            submit=running.submitted,
            start=start,
            stop=stop,
            exit=code,
            argv=["/bin/bash", str(files.script)],
            output=[str(path) for path in job.output],
            log=self._log(job, files),
            attempt=job.attempt,
        )
        if not failed and direct.has_benchmark(job) and direct.is_direct(job, self.workflow):
            direct.write_benchmark(job, [stop - start for start, stop in times])
        if failed:
            self._failed = True
            self.report_job_error(running.info, msg=self._why(outcome, code, files))
        else:
            self._progress.finished(running.label, stop - start)
            self.report_job_success(running.info)

    def _why(self, outcome: Outcome, code: int | None, files: JobFiles) -> str:
        if code is None:
            return outcome.reason or f"it was {outcome.state.lower()}"
        rank = files.failed_rank()
        return f"exit code {code}" + (f" of rank {rank}" if rank else "")

    def _log(self, job, files: JobFiles) -> str:
        """The log to show to a person: the rule's own, if something stands there, else what the job printed."""
        own = [Path(path) for path in job.log if Path(path).is_file() and Path(path).stat().st_size]
        return str(own[0] if own else files.folder / "out.0")

    def _join_output(self, job, running: Running) -> None:
        """The ranks' output becomes the rule's log: a redirect that they share would mix their lines up."""
        if running.asked.ranks > 1 and len(job.log) == 1:
            log = Path(job.log[0])
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(running.files.output(running.asked.ranks))

    def print_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs) -> None:
        """The failed stage's name, the end of its log and where the whole log is; once, and nothing else."""
        files = self._run.path / "jobs" / job_info.external_jobid
        log = self._log(job_info.job, JobFiles(files))
        text = JobFiles(files).output(1)
        self._progress.failed(direct.label(job_info.job), msg or "failed", tail(Path(log), text), log)

    def cancel(self) -> None:
        """End all jobs and the pilot (Ctrl-C, or a failed job without `--keep-going`)."""
        self._failed = True
        self.cancel_jobs([running.info for running in self._jobs.values()])
        self.shutdown()

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End these jobs."""
        if self._pilot is not None and active_jobs:
            self._pilot.cancel([info.external_jobid for info in active_jobs])

    def shutdown(self) -> None:
        """Close the pilot; its files go, unless something failed or `--radical-pilot-keep` was given."""
        super().shutdown()
        if self._pilot is None or self._pilot.state == "CLOSED":
            return
        keep = self._failed or self.workflow.executor_settings.keep
        self._events.write("pilot", state="closing", cores=self._pilot.cores)
        self._pilot.close(keep=keep)
        self._events.write("pilot", state="closed", cores=self._pilot.cores)
        if not keep:
            self._run.tidy()
        else:
            self._progress.say(f"the pilot's files were kept: {self._run.path}")
