"""The only module that touches parts of Snakemake which are not in its stable interface: all of them, and a check.

What others of this package need of Snakemake they take from here, but for what its `snakemake_interface_…` packages
promise. Attributes of its jobs, rules and workflow are used in `direct` and `foreseeing`, too: the check has these.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from deeprc.core.errors import DeepRCError
from deeprc.core.insides import lacking
from deeprc.core.masking import masked

FITS = SpecifierSet(">=9.27,<10")  # as in pyproject.toml


class UnfitError(DeepRCError):
    """This Snakemake is another one than the executor was made for."""


def _unfit(found: str) -> UnfitError:
    there = version("snakemake")
    problem = f"the executor radical-pilot does not fit Snakemake {there}: {found}"
    return UnfitError(problem, expected=f"snakemake{FITS}", fix=f"pip install 'snakemake{FITS}'")


try:
    from snakemake.benchmark import BenchmarkRecord, write_benchmark_records
    from snakemake.common.configfile import load_configfile
    from snakemake.common.tbdstring import TBDString
    from snakemake.executors.dryrun import Executor as DryrunExecutor
    from snakemake.executors.local import Executor as LocalExecutor
    from snakemake.iocontainers import ResourceList
    from snakemake.logging import DefaultFilter, logger
    from snakemake.persistence.file import FilePersistence
    from snakemake.resources import Resource, Resources
    from snakemake.ruleinfo import RuleInfo
    from snakemake.scheduling.greedy import Scheduler as GreedyScheduler
    from snakemake.scheduling.milp import Scheduler as IlpScheduler
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import DeploymentMethod
    from snakemake.shell import MAX_ARG_LEN, shell
    from snakemake.target_jobs import parse_target_jobs_cli_args
    from snakemake_interface_executor_plugins.executors.real import RealExecutor
    from snakemake_interface_logger_plugins.common import LogEvent

    DRY = DryrunExecutor.__init__  # once, however many workflows a process reads
except ImportError as error:
    raise SystemExit(f"error: {_unfit(str(error))}") from None

__all__ = [
    "MAX_ARG_LEN", "BenchmarkRecord", "DefaultFilter", "DeploymentMethod", "FilePersistence", "GreedyScheduler",
    "IlpScheduler", "LogEvent", "ResourceList", "Resources", "RuleInfo", "TBDString", "load_configfile", "logger",
    "parse_target_jobs_cli_args", "shell", "write_benchmark_records",
]  # fmt: skip

# What is used of each class or object, here, in `direct` and in `foreseeing`.
USED = {
    "snakemake.benchmark:BenchmarkRecord": "cpu_usage cpu_time data_collected process_gone jobid rule_name wildcards"
    " params resources input threads",
    "snakemake.dag:DAG": "needrun_jobs dependencies _running",
    "snakemake.executors.dryrun:Executor": "__init__",
    "snakemake.executors.local:Executor": "get_python_executable",
    "snakemake.jobs:Job": "rule dag is_shell shellcmd prepare postprocess format_wildcards get_target_spec"
    " wildcards_dict is_local shadow_dir benchmark benchmark_repeats attempt restart_times conda_env_spec"
    " container_img_url message log resources _resources _params is_pipe_or_service_input pipe_or_service_output",
    "snakemake.persistence:PersistenceBase": "cleanup",
    "snakemake.persistence.file:FilePersistence": "_write_record _record_path _metadata_path _incomplete_path",
    "snakemake.resources:Resource": "raw _evaluator is_evaluable",
    "snakemake.resources:Resources": "DEFAULTS",
    "snakemake.rules:Rule": "ruleinfo run_func shellcmd expand_resources script notebook wrapper cwl benchmark"
    " workflow norun is_template_engine group is_checkpoint is_handover",
    "snakemake.scheduling.greedy:Scheduler": "select_jobs job_reward",
    "snakemake.scheduling.job_scheduler:JobRateLimiter": "max_jobs timespan",
    "snakemake.scheduling.job_scheduler:JobScheduler": "_user_kill job_rate_limiter resources _open_jobs"
    " exit_gracefully finish_callback _proceed _lock _tofinish",
    "snakemake.scheduling.milp:Scheduler": "select_jobs",
    "snakemake.shell:shell": "_check_executable _get_process_prefix _process_suffix get_executable",
    "snakemake.workflow:Workflow": "scheduler persistence global_resources resource_scopes async_run workdir_init"
    " dryrun _localrules",
}


def check() -> None:
    """Raise an UnfitError where this Snakemake lacks what is used of it, or is of a version that nobody has tried."""
    if version("snakemake") not in FITS:
        raise _unfit("a version that nobody has tried")
    import_module("snakemake.api")  # first: the others import each other in a circle
    if gone := lacking(USED):
        raise _unfit(gone)


def parsed(argv: list[str]) -> tuple[Any, Any]:
    """What reads Snakemake's command line and profile, and what it understands of them."""
    from snakemake.cli import parse_args  # the whole of Snakemake: not for every import of this package

    return parse_args(argv)


def scheduler_class() -> type:
    """Snakemake's JobScheduler, whose module imports executors: not to be had as this package is imported."""
    return import_module("snakemake.scheduling.job_scheduler").JobScheduler


def job_class() -> type:
    """Snakemake's Job; its module, too, imports executors."""
    return import_module("snakemake.jobs").Job


def check_shell(program: str) -> None:
    """Raise Snakemake's error where it knows no such shell."""
    shell._check_executable(program)


def wrapped(program: str, command: str) -> str:
    """A command with Snakemake's prefix (`set -euo pipefail`) for that shell, and its suffix, joined as it does."""
    return " ".join((shell._get_process_prefix(program), command, shell._process_suffix)).strip()


def show_no_variables() -> None:
    """Keep the values of variables out of the command lines of Snakemake's subprocesses."""
    RealExecutor.get_envvar_declarations = lambda self: ""


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


def foretell(told: Callable[[Any, Any], None]) -> None:
    """Have `told` called with the workflow and its jobs before Snakemake says what `-n` would run."""

    def begin(self: Any, workflow: Any, *given: Any, **named: Any) -> None:
        DRY(self, workflow, *given, **named)
        told(workflow, workflow.dag)

    DryrunExecutor.__init__ = begin


@contextlib.contextmanager
def unbounded(workflow: Any, jobs: list, argv: list[str]) -> Iterator[None]:
    """Meanwhile the jobs of `-n` have the threads that a run would give them: `-n` bounds them by this machine's cores,
    where `--cores` is not given.
    """
    said = None
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        said = parsed(argv[1:])[1].cores
    if said is not None:
        yield
        return
    bound = workflow.global_resources["_cores"]
    workflow.global_resources["_cores"] = None
    kept = [job._resources for job in jobs]
    for job in jobs:
        job._resources = None
    try:
        yield
    finally:
        workflow.global_resources["_cores"] = bound
        for job, resources in zip(jobs, kept, strict=True):
            job._resources = resources


def tell(text: str) -> None:
    """Say it in Snakemake's own words' place."""
    logger.info(text)


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


def jobs_to_run(dag: Any) -> list:
    """The jobs that the executor has to run in all, finished ones too, as far as known."""
    return [job for job in dag.needrun_jobs(exclude_finished=False) if not is_local(job)]


def is_local(job: Any) -> bool:
    """Whether Snakemake runs it beside the executor; of `-n`, for which all are local, whether it would."""
    workflow, rule = job.dag.workflow, job.rule
    if not workflow.dryrun:
        return job.is_local
    return rule.group is None and (rule.name in workflow._localrules or rule.norun or rule.is_template_engine)
