"""What the page says about each part, as plain values for the template; the charts are added by `page`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import timedelta

from deeprc.reporting import words
from deeprc.reporting.breakdown import breakdown, wait
from deeprc.reporting.events import Run, Task
from deeprc.reporting.figures.forecasts import step_of
from deeprc.reporting.figures.ranking import WORDS, standing
from deeprc.reporting.figures.timeline import colour
from deeprc.reporting.load import Forecasting, Hydrology
from deeprc.reporting.theme import BLUE, GOLD, ORANGE, PURPLE, SLATE

PHASES = {
    "workflow start": SLATE,
    "pilot start-up": ORANGE,
    "tasks running": BLUE,
    "no task running": GOLD,
    "pilot close": PURPLE,
    "after the pilot": SLATE,
}
MEASURES = ("mae", "rmse", "smape", "mase")


def model_rows(metrics: dict, tasks: list[Task]) -> list[dict]:
    """A row for each model and naive forecast, by MAE; `standing` is None for the naive ones."""
    seconds = {t.wildcards.get("model"): t.seconds for t in tasks if t.rule == "forecasting_train"}
    rows = [
        {"name": name, "standing": standing(row["mae"], metrics["naive"]), "seconds": seconds.get(name)}
        | {key: row.get(key) for key in (*MEASURES, "parameters")}
        for name, row in metrics["models"].items()
    ]
    rows += [
        {"name": name, "standing": None, "seconds": None, "parameters": None} | {key: row.get(key) for key in MEASURES}
        for name, row in metrics["naive"].items()
    ]
    return sorted(rows, key=lambda row: (row["mae"], row["name"]))


def forecasting(found: Forecasting, tasks: list[Task]) -> dict:
    """The forecasting part."""
    metrics = found.metrics
    rows = model_rows(metrics, tasks)
    best = next((row for row in rows if row["standing"]), None)
    naive = next((row for row in rows if not row["standing"]), None)
    counts = Counter(row["standing"] for row in rows if row["standing"])
    gain = 1 - best["mae"] / naive["mae"] if best and naive and naive["mae"] else None
    return {
        "metrics": metrics,
        "ahead": _ahead(found),
        "rows": rows,
        "best": best,
        "naive": naive,
        "gain": gain,
        "counts": {kind: counts[kind] for kind in WORDS if counts[kind]},
        "words": WORDS,
        "worse": [row["name"] for row in rows if row["standing"] == "neither"],
        "shown": [row["name"] for row in rows if row["standing"] and row["name"] in found.predictions][:2],
        "check": facts(found.check),
    }


def hydrology(found: Hydrology) -> dict:
    """The hydrology part; basins as the metrics order them."""
    blank = {"unit": "", "references": {}, "beats_reference": None}
    basins = {key: {"name": key} | blank | row for key, row in found.metrics["basins"].items()}
    scores = sorted(row["nse"] for row in basins.values() if row["nse"] is not None)
    return {
        "metrics": found.metrics,
        "basins": basins,
        "median_nse": _median(scores),
        "median_kge": _median(sorted(row["kge"] for row in basins.values() if row["kge"] is not None)),
        "worse": [row["name"] for row in basins.values() if row["beats_reference"] is False],
        "check": {key: facts(value) for key, value in (found.check.get("basins") or {}).items()},
    }


def run_part(run: Run, tasks: list[Task]) -> dict:
    """The newest run's times, and the table of all stages."""
    parts = breakdown(run)
    active = run.pilot.get("active", run.begin)
    waits = {id(task): wait(task, active, run.tasks) for task in run.tasks}
    failed = [task for task in run.tasks if task.failed]
    return {
        "run": run,
        "total": parts.total,
        "over": "closed" in run.pilot,
        "phases": [
            {"name": name, "seconds": s, "part": s / parts.total if parts.total else 0, "colour": PHASES[name]}
            for name, s in parts.phases.items()
        ],
        "utilisation": parts.utilisation,
        "mean": {name: s / parts.tasks if parts.tasks else 0 for name, s in asdict(parts.waits).items()},
        "ran": len(run.tasks),
        "stages": [{"task": task, "colour": colour(task), "wait": waits.get(id(task))} for task in tasks],
        "earlier": sum(id(task) not in waits for task in tasks),
        "failed": failed,
        "legend": {task.stage: colour(task) for task in run.tasks},
    }


def facts(check: dict) -> list[tuple[str, str]]:
    """The scalar figures of a check as (label, text); counts by name in one text; check sums are left to provenance."""
    found = []
    for key, value in check.items():
        label = key.replace("_", " ")
        if key in ("sha256", "basins", "name", "made_from") or value is None or value == {}:
            continue
        if isinstance(value, dict):
            found.append((label, ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())))
        else:
            found.append((label, _plain(value)))
    return found


def _ahead(found: Forecasting) -> str:
    """The horizon as a person says it: in hours where the predictions tell the step."""
    horizon = found.metrics["horizon"]
    if not found.predictions:
        return words.count(horizon, "step")
    hours = horizon * (step_of(next(iter(found.predictions.values()))) / timedelta(hours=1))
    return f"{hours:g} hours"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return words.listing([str(inner) for inner in value]) if isinstance(value, list) else str(value)


def _median(ordered: list[float]) -> float | None:
    middle = len(ordered) // 2
    if not ordered:
        return None
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
