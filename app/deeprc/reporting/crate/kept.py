"""What is known of a run, wherever it is asked for: by its name, in a results folder, in a crate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deeprc.core.errors import ConfigError, nearest
from deeprc.core.events import EndEvent, JobEvent, read
from deeprc.core.files import write_text
from deeprc.core.fingerprint import KEY
from deeprc.reporting import content
from deeprc.reporting.crate.opened import ABOUT, METRICS, Opened
from deeprc.reporting.events import Run, read_runs
from deeprc.reporting.provenance import spent

GONE = object()
FIELDS = ("command", "options", "versions", "inputs", "images", "metrics")


@dataclass(frozen=True)
class KnownRun:
    """A run.

    Attributes
    ----------
    place
        What it was asked for by.
    about, metrics
        What run.json and metrics.json hold; empty where its report is not known.
    events
        Its events; None where there are none here.
    state
        For people: `done`, `failed`, `ended early`, `running`, `killed`; None without events.
    """

    place: str
    about: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    events: Run | None = None
    state: str | None = None

    @property
    def id(self) -> str:
        """The run's name."""
        return self.events.id if self.events else self.about.get("run") or self.place

    def record(self) -> dict:
        """For a list of runs."""
        run = self.events
        return {
            "run": self.id, "state": self.state, "begin": run and run.begin,
            "seconds": run and round(run.end - run.begin, 3), "site": run and run.site,
            "jobs": run and {"done": sum(not task.failed for task in run.tasks),
                             "failed": sum(task.failed for task in run.tasks) + len(run.unstarted)},
            "metrics": dict(figures(self.metrics)) or None,
        }  # fmt: skip

    def spent(self) -> dict | None:
        """Where its time went; None where that is not known: from its events, else from its report."""
        if self.events:
            return spent(self.events)
        return {key: value for key in ("parts", "chain", "loss", "energy")
                if (value := (self.about.get("overhead") or {}).get(key, GONE)) is not GONE} or None  # fmt: skip

    def told(self) -> dict[str, dict[str, object]]:
        """What two runs are compared by; what is not known of one is not among it."""
        about = self.about
        given = about.get("command") or (self.events and self.events.command)
        found: dict[str, dict[str, object]] = {
            "command": {"command": " ".join(given)} if given else {},
            "options": dict(content.settings(about.get("config") or {})),
            "versions": dict(about.get("versions") or (self.events and self.events.versions) or {}),
            "inputs": {row["file"]: row["sha256"] for row in about.get("data") or [] if row["file"]},
            "images": {each["variant"]: each["digest"] for each in about.get("images") or []},
            "metrics": dict(figures(self.metrics)),
        }
        return {name: told for name, told in found.items() if told}


def figures(value: object, above: str = "") -> Iterator[tuple[str, float]]:
    """The figures of metrics as (key, value), without what they were made from."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != KEY:
                yield from figures(inner, f"{above}.{key}" if above else key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield above, value


def keep(results: Path, runs: Path) -> None:
    """Keep what a run's report says beside its events: the next one's takes its place in the results."""
    name = json.loads((results / ABOUT).read_text(encoding="utf-8"))["run"]
    if name and (runs / name).is_dir():
        for each in (ABOUT, METRICS):
            write_text(runs / name / each, (results / each).read_text(encoding="utf-8"))


def with_report(run: Run, runs: Path) -> KnownRun | None:
    """A run with what was kept of its report; None where nothing was."""
    about, metrics = (_json(runs / run.id / name) for name in (ABOUT, METRICS))
    return KnownRun(run.id, about, metrics, run) if about and metrics else None


def all_of(runs: Path) -> list[KnownRun]:
    """The runs of a working directory, the oldest first; those whose events cannot be read are left out."""
    found = (of_events(path.parent) for path in sorted(runs.glob("*/events.jsonl")))
    return sorted((each for each in found if each), key=lambda each: each.events.begin)


def of_events(folder: Path) -> KnownRun | None:
    """The run in its folder of events."""
    runs = read_runs(folder, [])
    if not runs:
        return None
    about, metrics = (_json(folder / name) for name in (ABOUT, METRICS))
    return KnownRun(str(folder), about, metrics, runs[0], _state(folder, runs[0]))


def find(asked: str, runs: Path) -> KnownRun:
    """A run by its name in the folder of runs, by its results folder, or by its crate.

    Raises
    ------
    ConfigError
        For one that there is not.
    InputError
        For a file that is no crate.
    """
    path = Path(asked)
    if path.is_file():
        crate = Opened(path)
        return KnownRun(asked, crate.about, crate.metrics)
    if (path / ABOUT).is_file() and not (path / "events.jsonl").is_file():
        about = _json(path / ABOUT)
        there = of_events(runs / about["run"]) if about.get("run") else None
        return KnownRun(asked, about, _json(path / METRICS), there and there.events, there and there.state)
    known = {each.id: each for each in all_of(runs)}
    if asked in known:
        return known[asked]
    raise ConfigError(
        f"no run, results folder or crate {asked}", where=runs, expected=nearest(asked, known), fix="deeprc run list"
    )


def difference(one: KnownRun, other: KnownRun) -> dict[str, dict[str, list]]:
    """What differs: by what it is of (`options`, …) and name, the value of each; None where it has none."""
    told, found = (one.told(), other.told()), {}
    for name in FIELDS:
        old, new = (each.get(name) for each in told)
        if old is None or new is None:
            continue
        pairs = {key: [old.get(key), new.get(key)] for key in sorted(old.keys() | new.keys())}
        rows = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        if rows:
            found[name] = rows
    return found


def unknown(one: KnownRun, other: KnownRun) -> list[str]:
    """What cannot be compared, since one of them does not tell it (no images: neither has run in one)."""
    told = (one.told(), other.told())
    return [name for name in FIELDS if name != "images" and any(name not in each for each in told)]


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _state(folder: Path, run: Run) -> str:
    if not run.over:
        return "running" if (folder / "environment").exists() else "killed"
    begun: set[tuple] = set()
    done: set[tuple] = set()
    failed: set[tuple] = set()
    left = 0  # jobs that were never handed over; of a run that does not tell, none
    for event in read(folder / "events.jsonl"):
        if isinstance(event, JobEvent):
            work = (event.rule, *sorted(event.wildcards.items()))
            {"submitted": begun, "finished": done, "failed": failed}[event.state].add(work)
        elif isinstance(event, EndEvent):
            left = event.left
    return "failed" if failed - done else "ended early" if begun - done or left else "done"
