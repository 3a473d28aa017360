"""What ran when on which cores: the events of runs (see `deeprc.core.events`), read into runs and tasks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from deeprc.core.errors import InputError
from deeprc.core.events import (
    EndEvent,
    EnergyEvent,
    Event,
    JobEvent,
    PilotEvent,
    PullEvent,
    RunEvent,
    RunImage,
    WorkerEvent,
    read,
)


@dataclass(frozen=True)
class Execution:
    """One execution of a job that has ended. Times are seconds since 1970, taken on the node around the command.

    Attributes
    ----------
    submit, start, stop
        When it was handed to the pilot, when its command began and ended.
    noticed
        When the workflow was told of the end.
    cores, nodes
        The ids of the cores that it ran on, and the node of each; no nodes where they are not told.
    command, argv
        What its rule runs, and the whole launch line around it.
    image
        What it ran in; None outside of containers.
    attempt
        1, or more where it failed before.
    pilot
        The name of the pilot that it ran in.
    gpus, memory_mb, minutes
        What it asked for, in all; 0 where nothing was said.
    cpu_seconds, peak_mb
        What it took; None where that is not known.
    input
        The files that it reads; None where that was not told.
    spent
        Seconds of its imports and checkpoints, as far as it has told them.
    """

    run: str
    job: int | str
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
    command: str = ""
    image: RunImage | None = None
    attempt: int = 1
    nodes: tuple[str, ...] = ()
    pilot: str = ""
    gpus: int = 0
    memory_mb: int = 0
    minutes: float = 0.0
    cpu_seconds: float | None = None
    peak_mb: float | None = None
    input: list[str] | None = None
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def places(self) -> list[tuple[str, int]]:
        """The cores as pairs of node and number: core 0 of two nodes are two cores. An unknown node is empty."""
        return list(zip(self.nodes or [""] * len(self.cores), self.cores, strict=True))

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


@dataclass(frozen=True)
class PilotPlace:
    """What a pilot has had: its name, the partition, its nodes, and the cores and accelerators of all of them."""

    name: str = ""
    partition: str = ""
    nodes: int | None = None
    cores: int | None = None
    gpus: int = 0


@dataclass
class Run:
    """One start of the workflow: the pilots' states, the tasks that ended and the time of the last event.

    `pilots` holds the times of each pilot's states by name, `places` what each had; `unstarted` are jobs that failed
    before their command began, with the time at which that was noticed. `workers` are those that were ready for jobs,
    `pulls` the images that were pulled, `energy` is what was told of it last; `begun` holds the rules of jobs that have
    not ended, `asked` what these read.
    """

    id: str
    begin: float
    end: float
    site: str
    host: str
    cores: int
    versions: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    pilots: list[dict[str, float]] = field(default_factory=list)
    places: list[PilotPlace] = field(default_factory=list)
    tasks: list[Execution] = field(default_factory=list)
    unstarted: list[Execution] = field(default_factory=list)
    workers: list[WorkerEvent] = field(default_factory=list)
    pulls: list[PullEvent] = field(default_factory=list)
    energy: EnergyEvent | None = None
    begun: dict[int | str, str] = field(default_factory=dict)
    asked: dict[int | str, list[str]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether its last pilot has ended; of several at once, all."""
        return bool(self.pilots) and all(
            "closed" in pilot for pilot in (self.pilots if self.told else self.pilots[-1:])
        )

    @property
    def told(self) -> bool:
        """Whether it is told of each pilot which one it is, so that several may live at once."""
        return len(self.places) == len(self.pilots) and all(place.name for place in self.places)


def read_runs(path: Path, left_out: list[InputError] | None = None) -> list[Run]:
    """The runs below a folder of runs, in the folder of one run, or in one events file; the oldest first.

    A run without its opening event (killed at once) is left out; so is a last line that was cut off.

    Parameters
    ----------
    left_out
        Takes the errors of runs that cannot be read, instead of raising the first of them.

    Raises
    ------
    InputError
        For a line that is not an event, with file, line and what is missing or unknown.
    """
    if path.is_file():
        files = [path]
    else:
        files = [path / "events.jsonl"] if (path / "events.jsonl").is_file() else sorted(path.glob("*/events.jsonl"))
    runs = []
    for file in files:
        try:
            runs.append(_run(read(file)))
        except InputError as error:
            if left_out is None:
                raise
            left_out.append(error)
    return sorted(filter(None, runs), key=lambda run: run.begin)


def latest(runs: Iterable[Run], folders: Iterable[Path]) -> list[Execution]:
    """Of everything made below `folders`, the task that made it last, in the order of their starts."""
    roots = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  (Path.resolve would follow links)
    found: dict[tuple, Execution] = {}
    for run in runs:
        for task in run.tasks:
            made = [Path(os.path.abspath(output)) for output in task.output]  # noqa: PTH100
            if not task.failed and any(output.is_relative_to(root) for output in made for root in roots):
                found[task.work] = task
    return sorted(found.values(), key=lambda task: (task.start, str(task.job)))


def _run(events: Iterable[Event]) -> Run | None:
    run: Run | None = None
    for event in events:
        if isinstance(event, RunEvent):
            run = Run(
                id=event.run,
                begin=event.time,
                end=event.time,
                site=event.site,
                host=event.host,
                cores=event.cores,
                versions=event.versions,
                command=event.command,
            )
        elif run is not None:
            run.end = max(run.end, event.time)
            _take(run, event)
    return run


def _take(run: Run, event: Event) -> None:
    """Add to `run` what `event` tells."""
    if isinstance(event, WorkerEvent):
        run.workers.append(event)
    elif isinstance(event, PullEvent):
        run.pulls.append(event)
    elif isinstance(event, EnergyEvent):
        run.energy = event
    elif isinstance(event, EndEvent):
        pass  # it is about the workflow, not about where its time went
    elif isinstance(event, PilotEvent):
        which = next(
            (number for number, place in enumerate(run.places) if event.pilot and place.name == event.pilot), -1
        )
        if event.state == "starting" or not run.pilots:
            run.pilots.append({})
            run.places.append(PilotPlace(event.pilot, event.partition, event.nodes, event.cores, event.gpus))
            which = -1
        run.pilots[which][event.state] = event.time
        run.cores = _at_once(run) or event.cores or run.cores
    elif event.state == "submitted":
        run.begun[event.job] = event.rule
        if event.input is not None:
            run.asked[event.job] = event.input
    else:
        run.begun.pop(event.job, None)
        task = _task(run.id, event, run.asked.pop(event.job, None))
        if event.start is not None:
            run.tasks.append(task)
        elif event.state == "failed":
            run.unstarted.append(task)


def _at_once(run: Run) -> int:
    """The cores of all pilots that have begun and not ended."""
    if not run.told:
        return 0
    living = sum(place.cores or 0 for place, pilot in zip(run.places, run.pilots, strict=True) if "closed" not in pilot)
    return max(living, run.cores if len(run.pilots) > 1 else 0)


def _task(run: str, event: JobEvent, input_: list[str] | None = None) -> Execution:
    return Execution(
        run=run,
        job=event.job,
        rule=event.rule,
        wildcards=event.wildcards,
        label=event.label,
        ranks=event.ranks,
        cores=tuple(event.cores),
        submit=event.submit,
        start=event.start if event.start is not None else event.time,
        stop=event.stop if event.stop is not None else event.time,
        noticed=event.time,
        failed=event.state == "failed",
        exit=event.exit,
        argv=event.argv,
        output=event.output,
        log=event.log or None,
        command=event.command,
        image=event.image,
        attempt=event.attempt,
        nodes=tuple(event.nodes),
        pilot=event.pilot,
        gpus=event.ranks * event.gpus_per_rank,
        memory_mb=event.memory_mb,
        minutes=event.minutes,
        cpu_seconds=event.cpu_seconds,
        peak_mb=event.peak_mb,
        input=input_,
        spent=event.spent,
    )
