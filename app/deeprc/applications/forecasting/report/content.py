"""What the section says, as plain values for the template."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from deeprc.applications.forecasting.report.by_series import by_series, drawn, listed, winners
from deeprc.applications.forecasting.report.forecasts import step_of
from deeprc.applications.forecasting.report.intervals import intervals
from deeprc.applications.forecasting.report.load import MEASURES, ForecastingResults
from deeprc.applications.forecasting.report.ranking import LOOK, standing
from deeprc.applications.forecasting.report.ranking import words as standings
from deeprc.reporting import words
from deeprc.reporting.content import facts
from deeprc.reporting.events import Execution

WORDS = {"linear": "least squares on the same windows"}


def model_rows(metrics: dict, tasks: list[Execution]) -> list[dict]:
    """A row for each model, naive forecast and reference, by MAE, those without one last.

    `standing` is None where not known; `worse_than` names what a model is not better than.
    """
    seconds = {t.wildcards.get("model"): t.seconds for t in tasks if t.rule == "forecasting_train"}
    rows = []
    references = metrics.get("references") or {}
    for kind, found in (("model", metrics["models"]), ("naive", metrics["naive"]), ("reference", references)):
        for name, row in found.items():
            figures = {key: row.get(key) for key in (*MEASURES, "parameters")}
            of = standing(figures["mae"], metrics["naive"]) if kind == "model" else None
            ran = seconds.get(name) if kind == "model" else None
            worse = [other for other in row.get("worse_than") or [] if other in references]
            told = {"name": name, "naive": kind == "naive", "reference": kind == "reference", "standing": of}
            rows.append(told | {"seconds": ran, "worse_than": worse} | figures)
    return sorted(rows, key=lambda row: (row["mae"] is None, row["mae"] or 0.0, row["name"]))


def content(found: ForecastingResults, tasks: list[Execution]) -> dict:
    """All of it but the charts."""
    metrics = found.metrics
    rows = model_rows(metrics, tasks)
    models = [row for row in rows if not row["naive"] and not row["reference"]]
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
        "beside": _beside(metrics, models),
        "worse": [row["name"] for row in models if row["standing"] == "neither"],
        "shown": [row["name"] for row in models if row["name"] in found.predictions][:2],
        "season": _season(metrics),
        "spans": _spans(found),
        "series": {"rows": listed(series), "all": len(series), "drawn": drawn(series), "winners": winners(series)},
        "intervals": intervals(metrics),
        "check": facts(found.check),
    }


def _beside(metrics: dict, models: list[dict]) -> list[str]:
    """Sentences: which models are not better than each reference, and which reference is not there."""
    sentences = []
    for name, row in (metrics.get("references") or {}).items():
        worse = [model["name"] for model in models if name in model["worse_than"]]
        least = f"Not better than {name}: {words.listing(worse)}." if worse else f"Every model is better than {name}."
        told = f"{row['model']}, which never saw these series" if row.get("model") else WORDS.get(name, "")
        windows, every = row.get("windows"), metrics.get("windows")
        if windows and every and windows < every:
            told += f"; compared on {windows} of {words.count(every, 'window')}"
        sentences.append(f"{least} ({told})" if told else least)
    return [*sentences, *(f"No {name} forecast: {why}." for name, why in (metrics.get("not_judged") or {}).items())]


def _ahead(found: ForecastingResults) -> str:
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


def _spans(found: ForecastingResults) -> tuple[tuple[tuple[float, str], ...], float]:
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
