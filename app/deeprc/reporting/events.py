"""What ran when on which cores: the events that the executor writes, a JSON object a line, read into runs and tasks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from deeprc.errors import InputError


@dataclass(frozen=True)
class Task:
    """One execution of a job that has ended. Times are seconds since 1970, taken on the node around the command.

    Attributes
    ----------
    submit, start, stop
        When it was handed to the pilot, when its command began and ended.
    noticed
        When the workflow was told of the end.
    cores
        The ids of the cores it ran on.
    """

    run: str
    job: int
    rule: str
    wildcards: dict[str, str]
    label: str
    ranks: int
    cores: tuple[int, ...]
    submit: float
    start: float
    stop: float
    noticed: float
    failed: bool
    exit: int | None
    argv: list[str]
    output: list[str]
    log: str | None

    @property
    def seconds(self) -> float:
        """How long its command ran."""
        return self.stop - self.start

    @property
    def pipeline(self) -> str:
        """The pipeline it belongs to: the rule's name up to the first underscore."""
        return self.rule.partition("_")[0]

    @property
    def stage(self) -> str:
        """The stage of the pipeline: the rule's name after the first underscore, or the whole name."""
        return self.rule.partition("_")[2] or self.rule

    @property
    def work(self) -> tuple:
        """What it made, whichever run it was in: the rule and its wildcards."""
        return (self.rule, *sorted(self.wildcards.items()))


@dataclass
class Run:
    """One start of the workflow: the pilot's states, the tasks that ended and the time of the last event."""

    id: str
    begin: float
    end: float
    site: str
    host: str
    cores: int
    versions: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    pilot: dict[str, float] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)


def read_runs(path: Path) -> list[Run]:
    """The runs below a folder of runs, in the folder of one run, or in one events file; the oldest first.

    A run without its opening event (killed at once) is left out; so is a last line that was cut off.

    Raises
    ------
    InputError
        For a line that is no event, with file, line and what is missing.
    """
    if path.is_file():
        files = [path]
    else:
        files = [path / "events.jsonl"] if (path / "events.jsonl").is_file() else path.glob("*/events.jsonl")
    return sorted(filter(None, map(_read_run, files)), key=lambda run: run.begin)


def latest(runs: Iterable[Run], folders: Iterable[Path]) -> list[Task]:
    """Of everything made below `folders`, the task that made it last, in the order of their starts."""
    roots = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  (Path.resolve would follow links)
    found: dict[tuple, Task] = {}
    for run in runs:
        for task in run.tasks:
            made = [Path(os.path.abspath(output)) for output in task.output]  # noqa: PTH100
            if not task.failed and any(output.is_relative_to(root) for output in made for root in roots):
                found[task.work] = task
    return sorted(found.values(), key=lambda task: (task.start, task.job))


def _read_run(path: Path) -> Run | None:
    run: Run | None = None
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break  # the run was killed while it wrote
            raise InputError("not a JSON object", where=f"{path}:{number}", found=line[:80]) from error
        try:
            run = _take(run, event)
        except KeyError as error:
            raise InputError(
                f"an event without {error.args[0]!r}", where=f"{path}:{number}", found=", ".join(event)
            ) from error
    return run


def _take(run: Run | None, event: dict) -> Run | None:
    """`run` with what `event` tells."""
    kind, time = event["event"], event["time"]
    if kind == "run":
        return Run(
            id=event["run"],
            begin=time,
            end=time,
            site=event["site"],
            host=event["host"],
            cores=event["cores"],
            versions=event.get("versions") or {},
            command=event.get("command") or [],
        )
    if run is None:
        return None
    run.end = max(run.end, time)
    if kind == "pilot":
        run.pilot[event["state"]] = time
        run.cores = event.get("cores") or run.cores
    elif kind == "job" and event["state"] in ("finished", "failed") and event.get("start") is not None:
        run.tasks.append(_task(run.id, event))
    return run


def _task(run: str, event: dict) -> Task:
    return Task(
        run=run,
        job=event["job"],
        rule=event["rule"],
        wildcards=event.get("wildcards") or {},
        label=event["label"],
        ranks=event["ranks"],
        cores=tuple(event.get("cores") or ()),
        submit=event["submit"],
        start=event["start"],
        stop=event["stop"] if event.get("stop") is not None else event["time"],
        noticed=event["time"],
        failed=event["state"] == "failed",
        exit=event.get("exit"),
        argv=event["argv"],
        output=event.get("output") or [],
        log=str(event["log"]) if event.get("log") else None,
    )
