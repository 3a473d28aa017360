"""What the page says about each part, as plain values for the template; the charts are added by `page`."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from deeprc.reporting import words
from deeprc.reporting.by_series import by_series, drawn, listed, winners
from deeprc.reporting.events import Task
from deeprc.reporting.figures.forecasts import step_of
from deeprc.reporting.figures.ranking import LOOK, standing
from deeprc.reporting.figures.ranking import words as standings
from deeprc.reporting.load import MEASURES, SKILLS, Forecasting, Hydrology

DEEPEST = 3  # levels of the configuration that have rows of their own
ELSEWHERE = ("sha256", "basins", "name", "made_from")  # keys of a check that other parts of the page tell


def model_rows(metrics: dict, tasks: list[Task]) -> list[dict]:
    """A row for each model and naive forecast, by MAE, those without one last; `standing` is None where not known."""
    seconds = {t.wildcards.get("model"): t.seconds for t in tasks if t.rule == "forecasting_train"}
    rows = []
    for naive, found in ((False, metrics["models"]), (True, metrics["naive"])):
        for name, row in found.items():
            figures = {key: row.get(key) for key in (*MEASURES, "parameters")}
            of = None if naive else standing(figures["mae"], metrics["naive"])
            ran = None if naive else seconds.get(name)
            rows.append({"name": name, "naive": naive, "standing": of, "seconds": ran} | figures)
    return sorted(rows, key=lambda row: (row["mae"] is None, row["mae"] or 0.0, row["name"]))


def forecasting(found: Forecasting, tasks: list[Task]) -> dict:
    """The forecasting part."""
    metrics = found.metrics
    rows = model_rows(metrics, tasks)
    models = [row for row in rows if not row["naive"]]
    best = next((row for row in models if row["mae"] is not None), None)
    naive = next((row for row in rows if row["naive"] and row["mae"] is not None), None)
    counts = Counter(row["standing"] for row in models)
    series = by_series(metrics)
    subject = [str(metrics[key]) for key in ("target", "dataset") if metrics.get(key)]
    return {
        "about": {key: metrics.get(key) for key in ("windows", "unit")},
        "target": metrics.get("target") or "the target",
        "subject": " of ".join(subject) or "The target",
        "ahead": _ahead(found),
        "rows": rows,
        "models": len(models),
        "best": best,
        "naive": naive,
        "gain": 1 - best["mae"] / naive["mae"] if best and naive and naive["mae"] else None,
        "counts": {kind: counts[kind] for kind in LOOK},
        "words": standings(metrics["naive"]),
        "unknown": counts[None],
        "worse": [row["name"] for row in models if row["standing"] == "neither"],
        "shown": [row["name"] for row in models if row["name"] in found.predictions][:2],
        "season": _season(metrics),
        "spans": _spans(found),
        "series": {"rows": listed(series), "all": len(series), "drawn": drawn(series), "winners": winners(series)},
        "check": facts(found.check),
    }


def hydrology(found: Hydrology) -> dict:
    """The hydrology part; basins as the metrics order them, with None for what is not known of them."""
    unknown = dict.fromkeys(SKILLS)
    basins = {
        key: unknown
        | row
        | {
            "name": row.get("name") or key,
            "unit": row.get("unit") or "",
            "train": unknown | (row.get("train") or {}),
            "references": {name: unknown | (part or {}) for name, part in (row.get("references") or {}).items()},
            "beats_reference": row.get("beats_reference"),
        }
        for key, row in found.metrics["basins"].items()
    }
    checked = found.check.get("basins") or {}
    return {
        "dataset": found.metrics.get("dataset"),
        "basins": basins,
        "judged": sum(row["nse"] is not None for row in basins.values()),
        "median_nse": _median(row["nse"] for row in basins.values()),
        "median_kge": _median(row["kge"] for row in basins.values()),
        "check": {key: told for key, value in checked.items() if (told := facts(value or {}))},
    }


def facts(check: dict) -> list[tuple[str, str]]:
    """The scalar figures of a check as (label, text); counts by name in one text; check sums are left to provenance."""
    told = {key: _plain(value) for key, value in check.items() if key not in ELSEWHERE}
    return [(key.replace("_", " "), text) for key, text in told.items() if text not in ("", words.NONE)]


def settings(config: object) -> list[tuple[str, str]]:
    """The configuration as (key, value), the keys with those above them; a model is one row."""

    def flat(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict) and value and len(path) < DEEPEST:
            for key, inner in value.items():
                yield from flat(inner, (*path, str(key)))
        elif path:
            yield ".".join(path), _setting(value)

    return list(flat(config, ()))


def _setting(value: object) -> str:
    """A value as it stands in a configuration; a mapping's in one line."""
    if isinstance(value, dict):
        value = ", ".join(f"{key} {_setting(inner)}" for key, inner in value.items())
    if value in (None, "", []):
        return words.NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _ahead(found: Forecasting) -> str:
    """The horizon as a person says it: as evaluate wrote it, else in hours where the predictions tell the step."""
    if found.metrics.get("ahead"):
        return found.metrics["ahead"]
    horizon = found.metrics["horizon"]
    if not found.predictions:
        return words.count(horizon, "step")
    hours = horizon * (step_of(next(iter(found.predictions.values()))) / timedelta(hours=1))
    return f"{hours:g} hours"


def _season(metrics: dict) -> str:
    """What the seasonal naive forecast is."""
    if not metrics.get("season"):
        return ""
    if metrics["season"] == 1:
        return "There is no season: the seasonal naive forecast is the last value, too."
    before = metrics.get("season_length") or words.count(metrics["season"], "step")
    return f"The seasonal naive forecast is the value of {before} before."


def _spans(found: Forecasting) -> tuple[tuple[tuple[float, str], ...], float]:
    """The stretches of time, in days, that the chart of the forecasts offers, and the one that it begins with."""
    every = (0, "All of it")
    days = step_of(next(iter(found.predictions.values()))) / timedelta(days=1) if found.predictions else 1 / 24
    if days < 1 / 144:
        return ((0.25, "6 hours"), (1, "1 day"), (7, "1 week"), every), 1
    if days < 1:
        return ((7, "1 week"), (14, "2 weeks"), (60, "2 months"), every), 14
    if days < 7:
        return ((60, "2 months"), (182, "6 months"), (731, "2 years"), every), 182
    return ((731, "2 years"), (1826, "5 years"), (7305, "20 years"), every), 0


def _plain(value: object) -> str:
    if value is None:
        return words.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return words.number(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    return words.listing([_plain(inner) for inner in value]) if isinstance(value, list) else str(value)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
