"""What Snakemake does for each job, done for many at once, or not where nobody sees it: what it leaves is the same."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_radical_pilot.internals import (
    DefaultFilter,
    FilePersistence,
    LogEvent,
    ResourceList,
    Resources,
    TBDString,
    job_class,
    logger,
)

PIPES = "_deeprc_pipes"  # where a job keeps what was found out about its inputs


def spare() -> None:
    """Have Snakemake's own classes do so."""
    job, own = job_class(), job_class().is_pipe_or_service_input
    if not hasattr(own, "instead_of"):
        is_pipe_or_service_input.instead_of = own
        job.is_pipe_or_service_input = is_pipe_or_service_input
    if not hasattr(FilePersistence._write_record, "instead_of"):
        FilePersistence._write_record = _write_instead(FilePersistence._write_record)


def is_pipe_or_service_input(self: Any, path: Any) -> bool:
    """Whether an input of a job is a pipe or a service.

    Snakemake 9.27 asks of each input, and looks for it at all jobs that it may come from: n² for a rule `all`.
    """
    sources = self.dag.dependencies[self]
    held = vars(self).get(PIPES)
    if held is None or held[0] is not sources or held[1] != len(sources):
        piped = {file for job, files in sources.items() for file in files if file in job.pipe_or_service_output}
        held = vars(self)[PIPES] = sources, len(sources), piped
    return path in held[2]


def _write_instead(own: Any) -> Any:
    def write(self: Any, key: str, record: Any) -> None:
        """Write down what made a file: the mark that it was begun becomes that, instead of a new file beside it.

        A file less is made and removed for each job, which takes longer than all else that is done at its end: ext4
        looks past each that was removed lately, Lustre asks its one server. Until the last moment the mark is one.
        """
        mark = Path(self._record_path(self._incomplete_path, key))
        path = Path(self._record_path(self._metadata_path, key))
        in_folders = mark.parent != Path(self._incomplete_path)  # since its name is long
        if in_folders or path.exists():
            own(self, key, record)
            return
        try:
            with mark.open("r+") as file:
                file.truncate()
                json.dump(dict(record.items()), file)
            mark.rename(path)
        except FileNotFoundError:
            own(self, key, record)

    write.instead_of = own
    return write


def prepare(jobs: Sequence, workflow: Any) -> dict[Any, Exception]:
    """Do what Snakemake does before it runs jobs: old outputs removed, folders made, the shadow folder filled.

    All in one event loop, whose begin and end take longer than what is done in it for a job; what went wrong with some.
    """
    failed: dict[Any, Exception] = {}
    for job in jobs:
        try:
            _expand(job)
        except Exception as error:
            failed[job] = error

    async def prepare_all() -> None:
        for job in jobs:
            if job not in failed:
                try:
                    await job.prepare()
                except Exception as error:
                    failed[job] = error

    workflow.async_run(prepare_all())
    return failed


def _expand(job: Any) -> None:
    """Have a job's resources stand as they are on this machine.

    With a remote executor `{resources.tmpdir}` stands at `<TBD>`. Where it is Snakemake's own and nothing else is left
    open, it is put in: evaluating all resources anew takes as long as all else that is done before a job runs.
    """
    known, default = job.resources, Resources.DEFAULTS["bare"]["tmpdir"]
    own = job.rule.resources.get("tmpdir")
    left = [name for name, value in known.items() if isinstance(value, TBDString)]
    if left == ["tmpdir"] and own is not None and own.is_evaluable() and own.raw == default:
        job._resources = ResourceList(fromdict={**dict(known.items()), "tmpdir": tempfile.gettempdir()})
    else:
        job._resources = job.rule.expand_resources(
            job.wildcards_dict, job.input, job.attempt, skip_evaluation=set()
        )  # fmt: skip
    job._params = None


def is_heard() -> bool:
    """Whether anybody hears what Snakemake says of each job that it hands over: a screen, a file, a plugin.

    Where nobody does (`--quiet rules`), most of the time for it goes into formatting the command, twice.
    """
    events = (LogEvent.JOB_INFO, LogEvent.GROUP_INFO, LogEvent.SHELLCMD)
    said = [logging.makeLogRecord({"levelno": logging.INFO, "event": event}) for event in events]
    asked: logging.Logger | None = logger
    while asked is not None:
        for handler in asked.handlers:  # one of a plugin may hear anything
            known = all(isinstance(each, DefaultFilter) for each in handler.filters)
            if not known or any(handler.filter(record) for record in said):
                return True
        asked = asked.parent if asked.propagate else None
    return False


def is_told_apart(job: Any) -> bool:
    """Whether Snakemake says more of a job than what it is: `--quiet rules` shows that."""
    rules = {each.rule for each in job} if job.is_group() else {job.rule}
    return any(rule.is_checkpoint or rule.is_handover for rule in rules)
