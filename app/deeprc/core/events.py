"""What a run says about itself: the lines of its `events.jsonl`, which the executor writes and the report reads.

A JSON object a line. The classes below are all there is: what they do not know is refused, so that nothing that was
written is left out of a report in silence.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from deeprc.core.errors import InputError, nearest

PilotState = Literal["starting", "waiting", "active", "closing", "closed"]
_SURROGATE = re.compile("[\ud800-\udfff]")  # bytes that are not UTF-8, as Python keeps them in names and arguments
_UNKNOWN = "unexpected_keyword_argument"  # in pydantic's words
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=asdict)  # without a copy of each event first
_SHOWN = 80  # characters of a line that an error shows


class _StrictRecord:
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class RunImage(_StrictRecord):
    """The image that a job ran in.

    Attributes
    ----------
    variant
        Its name in the catalog.
    digest
        The SHA-256 of its file, `sha256:…`; None where the container runtime keeps images of its own.
    source
        `built` (on this machine), or the address that it came from; None where that is not known.
    """

    variant: str
    digest: str | None = None
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunEvent(_StrictRecord):
    """The workflow's first job is ready; the first line of a file. `cores` are those that the pilot will have."""

    event: Literal["run"] = "run"
    time: float
    run: str
    site: str
    host: str
    cores: int
    versions: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PilotEvent(_StrictRecord):
    """A pilot was asked for, waits in a queue (`why` is what the batch system says of that), takes tasks, is being
    closed, has ended; `cores` and `gpus` are those of all its `nodes`. `pilot` is the name of its folder: several may
    live at once.
    """

    event: Literal["pilot"] = "pilot"
    time: float
    state: PilotState
    pilot: str = ""
    partition: str = ""
    nodes: int | None = None
    cores: int | None = None
    gpus: int = 0
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobEvent(_StrictRecord):
    """A job was handed to the pilot, or ended. All times are seconds since 1970.

    Attributes
    ----------
    wildcards, label
        With the rule they say what it makes; the label is its name for people.
    command
        What the rule runs, without the scripts and launchers around it.
    argv
        The whole launch line.
    image
        What it ran in; None outside of containers.
    attempt
        1, or more where it failed before.
    cores, nodes
        The numbers of the cores that it ran on, and the node of each.
    submit, start, stop
        When it was handed to the pilot; when its command began and ended, as its node saw it.
    exit, log
        Its exit code, and the file with what it wrote.
    pilot
        The folder's name of the pilot that it was handed to.
    gpus_per_rank, memory_mb, minutes
        What it asked for: accelerators of a rank, memory and time of the job; 0 where nothing was said.
    cpu_seconds, peak_mb
        The CPU time of its processes; the most memory (10^6 bytes) that the largest of them had, or all together where
        these were looked at, as `mem_mb` was given. None where these are not known.
    input
        The files that it reads, where it is handed over; None where it ends.
    spent
        Seconds of its `import` and `checkpoint`, where it has told them (see `deeprc.core.spent`).
    """

    event: Literal["job"] = "job"
    time: float
    state: Literal["submitted", "finished", "failed"]
    job: int | str
    rule: str
    label: str
    ranks: int
    submit: float
    argv: list[str]
    wildcards: dict[str, str] = field(default_factory=dict)
    cores_per_rank: int = 1
    command: str = ""
    image: RunImage | None = None
    output: list[str] = field(default_factory=list)
    attempt: int = 1
    cores: list[int] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    start: float | None = None
    stop: float | None = None
    exit: int | None = None
    log: str | None = None
    pilot: str = ""
    gpus_per_rank: int = 0
    memory_mb: int = 0
    minutes: float = 0.0
    cpu_seconds: float | None = None
    peak_mb: float | None = None
    input: list[str] | None = None
    spent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.nodes) not in (0, len(self.cores)):
            raise ValueError(f"{len(self.nodes)} nodes for {len(self.cores)} cores")


@dataclass(frozen=True, kw_only=True)
class WorkerEvent(_StrictRecord):
    """A worker, or a gang, is ready for its first job.

    Attributes
    ----------
    asked, began, time
        When the pilot was asked to start it, when it began to import, and when it was ready.
    warm
        What it has imported.
    """

    event: Literal["worker"] = "worker"
    time: float
    name: str
    asked: float
    began: float
    pilot: str = ""
    warm: list[str] = field(default_factory=list)
    cores: list[int] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class PullEvent(_StrictRecord):
    """An image was pulled by a task of the pilot, from `began` to `time`."""

    event: Literal["pull"] = "pull"
    time: float
    image: str
    began: float
    pilot: str = ""


@dataclass(frozen=True, kw_only=True)
class EnergyEvent(_StrictRecord):
    """The energy that the machine of the workflow has taken since the run began, of what is counted; or why it is not
    known.
    """

    event: Literal["energy"] = "energy"
    time: float
    joules: float | None = None
    of: list[str] = field(default_factory=list)
    why: str | None = None


@dataclass(frozen=True, kw_only=True)
class EndEvent(_StrictRecord):
    """The workflow begins no job any more; `left` are those that it would have had to, however it came to its end."""

    event: Literal["end"] = "end"
    time: float
    left: int


Event = RunEvent | PilotEvent | JobEvent | WorkerEvent | PullEvent | EnergyEvent | EndEvent
_KINDS: dict[str, type] = {
    "run": RunEvent, "pilot": PilotEvent, "job": JobEvent, "worker": WorkerEvent, "pull": PullEvent,
    "energy": EnergyEvent, "end": EndEvent,
}  # fmt: skip
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def record(event: Event) -> dict[str, Any]:
    """The event as plain values, in the order of the file."""
    return asdict(event)


def line(event: Event) -> str:
    """The event as a line of the file, without its end.

    What is not UTF-8 in a name is written as Python shows it (`M\\udcfcller`): no JSON reader takes it otherwise.
    """
    text = _ENCODER.encode(vars(event))
    return _SURROGATE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)


def read(path: Path) -> Iterator[Event]:
    """The events in a file, in their order; a last line that was cut off (the run was killed) is left out.

    Raises
    ------
    InputError
        For a line that is not an event, with file, line, and the field that is missing or unknown.
    """
    *whole, last = path.read_bytes().split(b"\n")  # other signs that end a line for Python may stand in a name
    for number, text in enumerate(whole, 1):
        yield _parse(text, f"{path}:{number}")
    with contextlib.suppress(json.JSONDecodeError):
        json.loads(last.decode(errors="replace"))
        yield _parse(last, f"{path}:{len(whole) + 1}")


def _parse(text: bytes, where: str) -> Event:
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise _explain(error, text, where) from None


def _explain(error: ValidationError, text: bytes, where: str) -> InputError:
    # A misspelt field shows as a missing one, too: the unknown one is the cause.
    issue, *_ = sorted(error.errors(include_url=False), key=lambda each: each["type"] != _UNKNOWN)
    kind, *path = issue["loc"] or ("",)
    name, shown = ".".join(map(str, path)), text.decode(errors="replace")[:_SHOWN]
    fix = "render it with the release of Deep RC that wrote it, or name other runs with --events"
    if kind not in _KINDS:
        problem = "not a JSON object" if issue["type"] == "json_invalid" else "not an event of a run"
        return InputError(problem, where=where, found=shown, expected=f"one of {', '.join(_KINDS)} as 'event'", fix=fix)
    if issue["type"] == "missing":
        return InputError(f"an event {kind!r} without {name!r}", where=where, found=shown, fix=fix)
    if issue["type"] == _UNKNOWN:
        known = [each.name for each in fields(_KINDS[kind])]
        guess = nearest(name, known)
        problem = f"an event {kind!r} with the unknown field {name!r}"
        expected = f"{guess!r}?" if guess else f"one of {', '.join(known)}"
        return InputError(problem, where=where, found=shown, expected=expected, fix=fix)
    message = issue["msg"].removeprefix("Value error, ")
    at = f", field {name!r}" if name else ""
    return InputError(f"an event {kind!r}{at}: {message}", where=where, found=repr(issue["input"])[:_SHOWN], fix=fix)
