"""How a job is run directly, without its own Snakemake around it, and how it is described to people."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import os
import re
import shlex
import shutil
import textwrap
from collections.abc import Container
from pathlib import Path
from string import Formatter
from typing import Any

from snakemake_executor_plugin_radical_pilot.internals import (
    MAX_ARG_LEN,
    BenchmarkRecord,
    DeploymentMethod,
    RuleInfo,
    check_shell,
    parse_target_jobs_cli_args,
    shell,
    wrapped,
    write_benchmark_records,
)
from snakemake_executor_plugin_radical_pilot.records import Stage

# What a command's names stand for, even where the Snakefile gives them another meaning.
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


# What a rule can have (attributes of Snakemake's `RuleInfo`), and who does it where the command is run directly:
# Snakemake's main process does it, or `prepare`, or a function below.
DONE = frozenset(
    {"func", "shellcmd", "name", "docstring", "message"}
    | {"input", "output", "log", "params", "wildcard_constraints", "pathvars", "path_modifier"}
    | {"threads", "resources", "priority", "retries", "shadow_depth", "benchmark", "group"}
    | {"default_target", "localrule", "handover"}  # which of them there are; the latter two never come here
)
BARE = vars(RuleInfo())  # what a rule has that says nothing
# What asks for software, and the method (`--sdm`) without which Snakemake leaves it out.
SOFTWARE = {
    "conda_env": DeploymentMethod.CONDA,
    "container_img": DeploymentMethod.APPTAINER,
    "is_containerized": DeploymentMethod.APPTAINER,
    "env_modules": DeploymentMethod.ENV_MODULES,
}
# The marks of files that the main process handles, or that do not affect how a job runs.
FLAGS = frozenset(
    {"access_pattern", "ancient", "before_update", "checkpoint_target", "directory", "ensure", "local", "multiext"}
    | {"protected", "repeat", "report", "sourcecache_entry", "temp", "touch", "unpack", "update"}
)


def is_direct(job: Any, workflow: Any) -> bool:
    """Whether the job's shell command can be run by the ranks themselves, without a Snakemake of its own around it."""
    return why_nested(job, workflow) is None


def why_nested(job: Any, workflow: Any) -> str | None:
    """What the job has that only Snakemake itself can do, if anything: everything not known to be done here."""
    if job.is_group():
        return "it is a group"
    if not job.is_shell:
        return "it is no `shell:` rule"
    methods = set(workflow.deployment_settings.deployment_method)
    for name, value in vars(job.rule.ruleinfo).items():
        wanted = name not in BARE or value is not BARE[name]
        cached = name == "cache" and workflow.workflow_settings.cache is None  # without `--cache`, nothing is cached
        software = name in SOFTWARE and SOFTWARE[name] not in methods
        if wanted and not (name in DONE or cached or software):
            return f"it has `{name}`"
    # These may also be set for the whole workflow.
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
    """Whether the Snakemake that `command` starts for the job would take it for another job.

    Its command line has no form for wildcards with commas, backslashes, or quotes at their ends (Snakemake's issue
    4298): for `"a"` it would make the files of `a`.
    """
    words = shlex.split(command)
    given = itertools.takewhile(lambda word: not word.startswith("--"), words[words.index("--target-jobs") + 1 :])
    with contextlib.suppress(ValueError):
        return parse_target_jobs_cli_args(given) != job.get_target_spec()
    return True


def fractions(job: Any) -> dict[str, float]:
    """The numbers of the rule's resources that Snakemake has rounded, as the rule has them: 0.5 would be 0."""
    if job.is_group() or not job.rule.ruleinfo.resources:
        return {}
    own = {name: _told(job, value) for name, value in job.rule.ruleinfo.resources[1].items()}
    return {
        name: value
        for name, value in own.items()
        if isinstance(value, float) and not value.is_integer() and job.resources.get(name) == round(value)
    }


def _told(job: Any, value: Any) -> Any:
    """What a function of a rule gives for a resource, before Snakemake rounds it; any other value itself."""
    if not callable(value):
        return value
    given = {"input": job.input, "threads": job.threads, "attempt": job.attempt, "rulename": job.rule.name}
    try:
        names = inspect.signature(value).parameters
        return value(job.wildcards, **{name: given[name] for name in names if name in given})
    except Exception:  # it has told Snakemake something, and what that is holds
        return None


def formatted(job: Any) -> str:
    """The job's shell command with what its names stand for."""
    # A module's rule uses names from its own Snakefile, but Snakemake's `shellcmd` looks in the main one.
    names, told = job.rule.run_func.__globals__, job.rule.workflow.globals
    fields = {re.split(r"[.\[]", field)[0] for _, field, *_ in Formatter().parse(job.rule.shellcmd) if field}
    others = {name: names[name] for name in fields - JOBS_OWN if name in names and names[name] is not told.get(name)}
    return job.format_wildcards(job.rule.shellcmd, **others)


def command(job: Any, text: str) -> str:
    """That `text` with Snakemake's prefix (`set -euo pipefail`) and suffix, joined as Snakemake does."""
    check_shell(shell_of(job))
    return wrapped(shell_of(job), text)


def words(job: Any, text: str, script: Path) -> list[str]:
    """The program that runs the command `text`; `script` holds it where it is too long for an argument."""
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


def before(dag: Any, job: Any, known: Container) -> set:
    """Those of the `known` jobs that it comes after, directly or by way of others, which run beside the executor."""
    found, ways = set(), [job]
    seen = set()
    while ways:
        for other in dag.dependencies[ways.pop()]:
            if other in seen:
                continue
            seen.add(other)
            (found.add if other in known else ways.append)(other)
    return found


def own_command(job: Any, text: str | None = None) -> str:
    """What the job's rule runs, as its author wrote it, without a wrapper or the variables that a wrapper holds.

    `text`: its shell command, where that has been formatted already.
    """
    if job.is_group():
        return "\n".join(own_command(each) for each in job)
    if job.is_shell:
        return textwrap.dedent((job.shellcmd if text is None else text) or "").strip()
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
    """The description of a job for people."""
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
        input=[str(path) for path in job.input],
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
