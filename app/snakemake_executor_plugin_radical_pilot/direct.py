"""The only module that touches parts of Snakemake which are not in its stable interface (tried with 9.27)."""

from __future__ import annotations

import itertools
import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemake.benchmark import BenchmarkRecord, write_benchmark_records
from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake.shell import shell
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_executor_plugin_radical_pilot.records import Stage


def hush(workflow: Any, failed: Callable[[str, list[str]], None]) -> None:
    """Leave out the lines about Snakemake's rounds of scheduling too where `--quiet progress` is given.

    With `--quiet rules` Snakemake does not tell either which local job failed: `failed` is called with its rule and its
    logs.
    """
    quiet = workflow.output_settings.quiet or ()

    def look(record: Any) -> bool:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_ERROR and Quietness.RULES in quiet:
            failed(record.rule_name, list(map(str, record.log)))
        noise = record.msg == "Select jobs to execute..." or event == LogEvent.JOB_STARTED
        return not (noise and Quietness.PROGRESS in quiet)

    logger.addFilter(look)


def is_direct(job: Any, workflow: Any) -> bool:
    """Whether the job's shell command can be run by the ranks themselves, without a Snakemake of its own around it."""
    if job.is_group() or not job.is_shell or job.rule.env_modules or job.conda_env_spec:
        return False
    cached = workflow.workflow_settings.cache is not None and job.rule.cache
    files = [*job.input, *job.output]
    return not cached and not any(file.is_storage for file in files)


def prepare(job: Any, workflow: Any) -> None:
    """Do what Snakemake does before it runs a job: old outputs removed, folders made, the shadow folder filled."""
    # With a remote executor `{resources.tmpdir}` stands at `<TBD>`: the resources are expanded anew, for this machine.
    job._resources = job.rule.expand_resources(
        job.wildcards_dict, job.input, job.attempt, skip_evaluation=set()
    )  # fmt: skip
    job._params = None
    workflow.async_run(job.prepare())


def command(job: Any) -> str:
    """The job's shell command with Snakemake's prefix (`set -euo pipefail`) and suffix."""
    prefix = shell._get_process_prefix(shell_of(job))
    return "\n".join(part.strip() for part in (prefix, job.shellcmd, shell._process_suffix) if part.strip()) + "\n"


def shell_of(job: Any) -> str:
    """The shell that runs the command."""
    return job.resources.get("shell_exec") or shell.get_executable() or "/bin/sh"


def tmpdir(job: Any) -> str | None:
    """The job's temporary folder."""
    return job.resources.get("tmpdir")


def workdir(job: Any, workflow: Any) -> Path:
    """The folder that the command runs in."""
    return Path(job.shadow_dir or workflow.workdir_init).absolute()


def has_benchmark(job: Any) -> bool:
    """Whether the job's rule has a `benchmark:` directive."""
    return not job.is_group() and job.benchmark is not None


def repeats(job: Any) -> int:
    """How often a benchmarked job runs."""
    return job.benchmark_repeats if has_benchmark(job) else 1


def rule_name(job: Any) -> str:
    """The job's rule, or the group it stands for."""
    return f"group {job.groupid}" if job.is_group() else job.rule.name


def own_command(job: Any) -> str:
    """What the job's rule runs, as its author wrote it: no wrapper, and none of the variables that a wrapper holds."""
    if job.is_group():
        return "\n".join(own_command(each) for each in job)
    if job.is_shell:
        return textwrap.dedent(job.shellcmd or "").strip()
    for kind in ("script", "notebook", "wrapper", "cwl"):
        if path := getattr(job.rule, kind):
            return f"{kind}: {path}"
    return f"run: of rule {job.rule.name}"


def stage(job: Any) -> Stage:
    """What people are told of a job. Its label is its rule's message, else the rule's name with the wildcards."""
    single = not job.is_group()
    wildcards = dict(job.wildcards_dict) if single else {}
    plain = ", ".join(f"{name}={value}" for name, value in wildcards.items())
    return Stage(
        job=job.jobid,
        rule=rule_name(job),
        wildcards=wildcards,
        label=" ".join((job.message or f"{job.rule.name} {plain}" if single else rule_name(job)).split()),
        output=[str(path) for path in job.output],
        logs=[str(path) for path in job.log],
        attempt=job.attempt,
        attempts=job.restart_times + 1,
        jobs=1 if single else len(job.jobs),
    )


def write_benchmark(job: Any, seconds: list[float], samples: list[dict[str, float]]) -> None:
    """Write the file of the `benchmark:` directive, a row per run; figures that were not sampled are `NA` in it."""
    records = []
    for duration, sample in itertools.zip_longest(seconds, samples[: len(seconds)], fillvalue={}):
        record = BenchmarkRecord(running_time=duration, **sample)
        if sample:
            record.cpu_usage = 100 * record.cpu_time  # over the running time: the mean load in percent
        record.data_collected, record.process_gone = bool(sample), not sample
        records.append(record)
    target = Path(os.fspath(job.benchmark))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_benchmark_records(records, str(target), False)


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


def jobs_to_run(dag: Any) -> list:
    """The jobs that the executor has to run in all, finished ones too, as far as known."""
    return [job for job in dag.needrun_jobs(exclude_finished=False) if not job.is_local]
