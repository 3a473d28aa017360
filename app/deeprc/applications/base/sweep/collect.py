"""Stage `collect` of a sweep: one table of all its trials."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.application import CHECK, METRICS
from deeprc.applications.base.sweep.config import Sweep
from deeprc.applications.base.sweep.table import Ranked, rows
from deeprc.applications.base.sweep.trials import TABLE, together, trials
from deeprc.applications.base.trial import Trial
from deeprc.applications.registry import absent, applications
from deeprc.core import exact, fingerprint
from deeprc.core.errors import ConfigError
from deeprc.core.files import write_json, write_text
from deeprc.core.fingerprint import Record
from deeprc.core.stage import run


def main(
    application: Annotated[str, typer.Argument(help="the application's name")],
    given: Annotated[str, typer.Option(help="the application's options as the configuration has them, as JSON")],
    sweep: Annotated[str, typer.Option(help="the sweep's options as JSON")],
    folder: Annotated[Path, typer.Option(help="the application's folder of results")],
    out: Annotated[Path, typer.Option(help="the table to write (JSON); beside it one as csv")],
) -> None:
    """Rank the trials of a sweep.

    Example: `python -m deeprc.applications.base.sweep.collect forecasting --given '{"models": ["NHITS"]}'
    --sweep '{"over": {"seed": [1, 2]}}' --folder results/forecasting --out results/forecasting/sweep.json`
    """
    if application not in applications():
        raise absent(application)
    made = applications()[application]
    try:
        options = json.loads(given)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", where="--given", found=given[:80]) from None
    cases = trials(made, options, commandline.options(Sweep, sweep, "--sweep"), folder, "--sweep")
    record, told = {}, []
    for case in cases:
        record = _record(case, record)
        figures = {name: exact.rounded(value) for name, value in made.figures(case.folder).items()}
        repeat = case.values.get(made.repeats)
        told.append({"task": case.prepared.name, "values": case.values, "repeat": repeat, "figures": figures})
        told[-1]["halved"] = made.halved(case.folder)
    goal, better = made.goal
    tasks, apart = _tasks(cases)
    found = rows(told, repeats=made.repeats, goal=goal, better=better, apart=apart)
    write_json(
        out,
        {
            "application": application,
            "goal": goal,
            "better": better,
            "trainings": len(cases),
            "tasks": [{"task": task, "label": tasks[task], "check": f"{task}/{CHECK}"} for task in tasks],
            "table": [_row(row, tasks) for row in found],
            "trials": [
                {"label": case.label, "folder": str(case.folder.relative_to(folder)), **one}
                for case, one in zip(cases, told, strict=True)
            ],
            fingerprint.KEY: together(record, cases),
        },
    )
    write_text(out.with_name(TABLE), _csv(found, tasks, made.repeats))
    print(f"{len(found)} combinations of options, {len(cases)} trainings")
    for task, name in tasks.items():
        print(f"{name}: " * bool(name) + verdict([asdict(row) for row in found if row.task == task], goal))


def verdict(rows: list[dict], goal: str) -> str:
    """What can be said of a task's rows, in one sentence: of the first in place, or why there is none."""
    row = {"best": None, "alike": [], **next((row for row in rows if row.get("place") == 1), {})}
    if not row.get("place"):
        if rows and all(one.get("halved") for one in rows):
            return "Every trial was ended by halving; none is left to rank"
        return f"No trial that was trained to its end has a {goal}; none can be ranked"
    if row["best"]:
        return f"{row['label']} is the best: its {goal} is ahead of all others' beyond the spread"
    if row["alike"]:
        return f"{row['label']} comes first, but cannot be told from {', '.join(row['alike'])}: more seeds may tell"
    return f"{row['label']} comes first; whether by more than chance is not known: give several seeds, and others"


def _record(case: Trial, before: Record) -> Record:
    """What a trial was made from, which must be what it is asked for now; its data those of the ones `before`."""
    path = case.folder / METRICS
    found = fingerprint.read(path)
    expected = {"data": before.get("data") or (found or {}).get("data"), **case.application.told(case.options)}
    fingerprint.refuse(path, found, expected, "the sweep asks for")
    return found or {}


def _tasks(cases: list[Trial]) -> tuple[dict[str, str], list[str]]:
    """The folders of prepared data, with what they differ in as a person says it; and the keys of that."""
    found = {case.prepared.name: dict(_flat(case.application.preparing(case.options))) for case in cases}
    differ = [key for key in next(iter(found.values())) if len({_text(one.get(key)) for one in found.values()}) > 1]
    return {task: ", ".join(f"{key} {_text(one.get(key))}" for key in differ) for task, one in found.items()}, differ


def _flat(options: dict, above: str = ""):
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(row: Ranked, tasks: dict[str, str]) -> dict:
    told = asdict(row) | {"task_label": tasks[row.task]}
    for spread in told["figures"].values():
        if spread:
            spread["mean"] = exact.rounded(spread["mean"])
            spread["sd"] = None if spread["sd"] is None else exact.rounded(spread["sd"])
    return told


def _csv(found: list[Ranked], tasks: dict[str, str], repeats: str) -> str:
    keys = list(dict.fromkeys(key for row in found for key in row.values))
    names = list(found[0].figures)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    heads = [head for name in names for head in (name, f"{name} sd")]
    table.writerow(["task", "place", "best", "halved", *keys, f"{repeats}s", *heads])
    for row in found:
        figures = []
        for name in names:
            spread = row.figures[name]
            figures += [exact.rounded(spread.mean), spread.sd and exact.rounded(spread.sd)] if spread else [None, None]
        best = {None: "not known", True: "yes", False: "no"}[row.best] if row.place == 1 else ""
        values = [_text(row.values[key]) if key in row.values else "" for key in keys]
        table.writerow([tasks[row.task], row.place, best, row.halved, *values, len(row.repeats), *figures])
    return text.getvalue()


if __name__ == "__main__":
    run(main)
