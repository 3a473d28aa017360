"""The only module that touches parts of Snakemake which are not in its stable interface (tried with 9.27)."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from string import Formatter
from typing import Any

from snakemake.benchmark import BenchmarkRecord, write_benchmark_records
from snakemake.executors.local import Executor as LocalExecutor
from snakemake.logging import logger
from snakemake.resources import Resource, Resources
from snakemake.ruleinfo import RuleInfo
from snakemake.settings.enums import Quietness
from snakemake.settings.types import DeploymentMethod
from snakemake.shell import MAX_ARG_LEN, shell
from snakemake.target_jobs import parse_target_jobs_cli_args
from snakemake_interface_logger_plugins.common import LogEvent

from deeprc.core.masking import masked
from snakemake_executor_plugin_radical_pilot.records import Stage

# What a command's names stand for, whatever the Snakefile calls so.
JOBS_OWN = {
    "input",
    "output",
    "params",
    "wildcards",
    "threads",
    "resources",
    "log",
    "jobid",
    "name",
    "rule",
    "rulename",
}


def mask_messages(mask: Callable[[str], str]) -> None:
    """Take secrets out of what Snakemake tells and logs."""

    def look(record: Any) -> bool:
        vars(record).update({name: mask(text) for name, text in vars(record).items() if isinstance(text, str)})
        return True

    logger.addFilter(look)


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


def keep_out() -> None:
    """Let Snakemake's own processes for local jobs take no module from the working directory, as theirs inside."""
    LocalExecutor.get_python_executable = lambda self: f"{shlex.quote(sys.executable)} -P"


def hide(workflow: Any, path: Path) -> bytes | None:
    """Leave what holds secrets of `--config` out of the command lines of Snakemakes inside; what the file `path`, which
    they are told of instead, is to hold; None where there is none.
    """
    settings = workflow.config_settings
    hidden = {key: value for key, value in settings.config.items() if masked({key: value}) != {key: value}}
    if not hidden:
        return None
    settings.config_args = [word for word in settings.config_args if word.partition("=")[0] not in hidden]
    settings.configfiles = [*settings.configfiles, path]  # the last one counts
    return json.dumps(hidden).encode()


def asked_to_end(workflow: Any) -> bool:
    """Whether Snakemake was asked to end (SIGTERM), and waits for the jobs that it has handed out."""
    return workflow.scheduler is not None and workflow.scheduler._user_kill is not None


# What a rule can have (attributes of Snakemake's `RuleInfo`) and how it comes about where its command is run directly:
# Snakemake's main process does it, or `prepare`, or a function below.
DONE = frozenset(
    {"func", "shellcmd", "name", "docstring", "message"}
    | {"input", "output", "log", "params", "wildcard_constraints", "pathvars", "path_modifier"}
    | {"threads", "resources", "priority", "retries", "shadow_depth", "benchmark", "group"}
    | {"default_target", "localrule", "handover"}  # which of them there are; the latter two never come here
)
# What asks for software, and the method (`--sdm`) without which Snakemake leaves it out.
SOFTWARE = {
    "conda_env": DeploymentMethod.CONDA,
    "container_img": DeploymentMethod.APPTAINER,
    "is_containerized": DeploymentMethod.APPTAINER,
    "env_modules": DeploymentMethod.ENV_MODULES,
}
# The marks of files that are the main process's, or that say nothing of how a job runs.
FLAGS = frozenset(
    {"access_pattern", "ancient", "before_update", "checkpoint_target", "directory", "ensure", "local", "multiext"}
    | {"protected", "repeat", "report", "sourcecache_entry", "temp", "touch", "unpack", "update"}
)


def is_direct(job: Any, workflow: Any) -> bool:
    """Whether the job's shell command can be run by the ranks themselves, without a Snakemake of its own around it."""
    return why_nested(job, workflow) is None


def why_nested(job: Any, workflow: Any) -> str | None:
    """What the job has that only Snakemake itself does, if anything: all that is not known to be done here."""
    if job.is_group():
        return "it is a group"
    if not job.is_shell:
        return "it is no `shell:` rule"
    methods, bare = set(workflow.deployment_settings.deployment_method), vars(RuleInfo())
    for name, value in vars(job.rule.ruleinfo).items():
        wanted = name not in bare or value is not bare[name]
        cached = name == "cache" and workflow.workflow_settings.cache is None  # nothing is, without `--cache`
        software = name in SOFTWARE and SOFTWARE[name] not in methods
        if wanted and not (name in DONE or cached or software):
            return f"it has `{name}`"
    # These may be the whole workflow's, too.
    if DeploymentMethod.CONDA in methods and job.conda_env_spec:
        return "it has a conda environment"
    if DeploymentMethod.APPTAINER in methods and job.container_img_url:
        return "it has a container"
    if unknown := methods - set(SOFTWARE.values()):
        return f"of --sdm {', '.join(sorted(map(str, unknown)))}"
    if job.rule.benchmark and "{bench_iteration" in job.rule.shellcmd:
        return "its command names {bench_iteration}"
    marks = {mark for file in (*job.input, *job.output, *job.log) for mark in file.flags}
    return f"a file is {min(marks - FLAGS)}()" if marks - FLAGS else None


def is_misread(job: Any, command: str) -> bool:
    """Whether the Snakemake of its own that `command` starts would take the job for another one.

    Its command line has no form for wildcards with commas, backslashes, or quotes at their ends (Snakemake's issue
    4298): for `"a"` it would make the files of `a`.
    """
    words = shlex.split(command)
    given = itertools.takewhile(lambda word: not word.startswith("--"), words[words.index("--target-jobs") + 1 :])
    with contextlib.suppress(ValueError):
        return parse_target_jobs_cli_args(given) != job.get_target_spec()
    return True


def give_up(job: Any) -> None:
    """Let the others go on after a job that could not be run.

    Snakemake notes the command and the parameters of what has failed. Where these are what cannot be made, the whole
    run would end, with the jobs that run.
    """
    whole, persistence = job.postprocess, job.dag.workflow.persistence

    async def postprocess(*, error: bool = False, **given: Any) -> None:
        try:
            await whole(error=error, **given)
        except Exception:
            if not error:
                raise
            for each in job if job.is_group() else (job,):
                persistence.cleanup(each)

    job.postprocess = postprocess


def retry(dag: Any, job: Any) -> None:
    """Let Snakemake start a failed job again that has an attempt left.

    Snakemake 9.27 keeps it among the running ones until then; a checkpoint that ends meanwhile makes the list of jobs
    that are ready anew, without those that run: the run would end in "Out of jobs ready to be started" (issue 823).
    """
    if job.restart_times > job.attempt - 1:
        dag._running.discard(job)


def fractions(job: Any) -> dict[str, float]:
    """The numbers of the rule's resources that Snakemake has rounded, as they stand in the rule: 0.5 would be 0."""
    if job.is_group() or not job.rule.ruleinfo.resources:
        return {}
    own = job.rule.ruleinfo.resources[1].items()
    return {
        name: value
        for name, value in own
        if isinstance(value, float) and not value.is_integer() and job.resources.get(name) == round(value)
    }


def hold_limits(workflow: Any) -> None:
    """Have Snakemake keep to `--resources mem_mb=…` (disk_mb, …) over all jobs, as it does with the local executor.

    For other executors it takes these for what each job may have at most, since a cluster's jobs have a node each. All
    jobs of a pilot share it. What the user says of scopes comes first.
    """
    told = {_unit_less(name) for name in workflow.resource_settings.overwrite_resource_scopes}
    for name in map(_unit_less, workflow.global_resources):
        if workflow.resource_scopes.is_local(name) and name not in told:
            workflow.resource_scopes[name] = "global"


def _unit_less(resource: str) -> str:
    return resource.removesuffix("_mb").removesuffix("_mib")


def asks_for_memory(job: Any) -> bool:
    """Whether the job's rule, or somebody on the command line, has said what memory it needs.

    Snakemake gives every other job 1000 to 8000 MB by the size of its input, which nobody has asked for.
    """
    rules = {each.rule for each in job} if job.is_group() else {job.rule}
    return any("mem_mb" in rule.resources and not _made_up(rule.resources["mem_mb"]) for rule in rules)


def _made_up(resource: Any) -> bool:
    """Whether it is Snakemake's own default for memory, or that in other units."""
    held = (cell.cell_contents for cell in getattr(resource._evaluator, "__closure__", None) or ())
    return resource.raw == Resources.DEFAULTS["full"]["mem"] or any(
        _made_up(other) for other in held if isinstance(other, Resource)
    )


def prepare(job: Any, workflow: Any) -> None:
    """Do what Snakemake does before it runs a job: old outputs removed, folders made, the shadow folder filled."""
    # With a remote executor `{resources.tmpdir}` stands at `<TBD>`: the resources are expanded anew, for this machine.
    job._resources = job.rule.expand_resources(
        job.wildcards_dict, job.input, job.attempt, skip_evaluation=set()
    )  # fmt: skip
    job._params = None
    workflow.async_run(job.prepare())


def command(job: Any) -> str:
    """The job's shell command with Snakemake's prefix (`set -euo pipefail`) and suffix, joined as Snakemake does."""
    shell._check_executable(shell_of(job))
    # A rule of a module knows the names of its own Snakefile; Snakemake's `shellcmd` looks in the main one's.
    names, told = job.rule.run_func.__globals__, job.rule.workflow.globals
    fields = {re.split(r"[.\[]", field)[0] for _, field, *_ in Formatter().parse(job.rule.shellcmd) if field}
    others = {name: names[name] for name in fields - JOBS_OWN if name in names and names[name] is not told.get(name)}
    text = job.format_wildcards(job.rule.shellcmd, **others)
    return " ".join((shell._get_process_prefix(shell_of(job)), text, shell._process_suffix)).strip()


def words(job: Any, text: str, script: Path) -> list[str]:
    """The program that runs the command `text`; `script` holds it, for where it is too long for an argument."""
    if len(os.fsencode(text)) > MAX_ARG_LEN:
        text = shlex.join([shell.get_executable() or "/bin/sh", str(script)])
    program = shell_of(job)
    return [shutil.which(program) or program, "-c", text]


def shell_of(job: Any) -> str:
    """The shell that runs the command."""
    return job.resources.get("shell_exec") or shell.get_executable() or "/bin/sh"


def tmpdir(job: Any) -> str | None:
    """The job's temporary folder."""
    return job.resources.get("tmpdir")


def workdir(job: Any, workflow: Any) -> Path:
    """The folder that the command runs in."""
    if not is_direct(job, workflow):
        return Path(workflow.workdir_init)  # the Snakemake inside reads the Snakefile's `workdir:` itself
    return Path(job.shadow_dir or ".").absolute()


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


def label(job: Any) -> str:
    """What people call a job: its rule's message, else the rule's name with the wildcards."""
    if job.is_group():
        return rule_name(job)
    plain = ", ".join(f"{name}={value}" for name, value in job.wildcards_dict.items())
    return " ".join((job.message or f"{job.rule.name} {plain}").split())


def stage(job: Any) -> Stage:
    """What people are told of a job."""
    single = not job.is_group()
    wildcards = dict(job.wildcards_dict) if single else {}
    return Stage(
        job=job.jobid,
        rule=rule_name(job),
        wildcards=wildcards,
        label=label(job),
        output=[str(path) for path in job.output],
        logs=[str(path) for path in job.log],
        attempt=job.attempt,
        attempts=job.restart_times + 1,
        jobs=1 if single else len(job.jobs),
    )


def write_benchmark(job: Any, workflow: Any, seconds: list[float], samples: list[dict[str, float]]) -> None:
    """Write the file of the `benchmark:` directive, a row per run; figures that were not sampled are `NA` in it."""
    records = []
    for duration, sample in itertools.zip_longest(seconds, samples[: len(seconds)], fillvalue={}):
        record = BenchmarkRecord(running_time=duration, **sample)
        if sample:
            record.cpu_usage = 100 * record.cpu_time  # over the running time: the mean load in percent
        record.data_collected, record.process_gone = bool(sample), not sample
        record.jobid, record.rule_name, record.wildcards = job.jobid, job.rule.name, job.wildcards
        record.params, record.resources, record.input, record.threads = (
            job.params,
            job.resources,
            job.input,
            job.threads,
        )
        records.append(record)
    target = Path(os.fspath(job.benchmark))
    target.parent.mkdir(parents=True, exist_ok=True)
    write_benchmark_records(records, str(target), workflow.output_settings.benchmark_extended)


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
