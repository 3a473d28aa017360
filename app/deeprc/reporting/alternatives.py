"""What the charts show, in words: for who cannot see them, and for browsers without JavaScript."""

from __future__ import annotations

from datetime import date

import polars as pl

from deeprc.reporting import words
from deeprc.reporting.events import Run


def of_ranking(rows: list[dict], unit: str | None) -> str:
    """`rows` as `content.model_rows` gives them."""
    models, naive = (
        [f"{row['name']} {words.number(row['mae'])}" for row in rows if row["naive"] is kind and row["mae"] is not None]
        for kind in (False, True)
    )
    lines = f", beside lines for {words.listing(naive)}" if naive else ""
    return f"Bars of the mean absolute error{_in(unit)}: {words.listing(models)}{lines}."


def of_forecasts(predictions: dict[str, pl.DataFrame], target: str, unit: str | None) -> str:
    """The predictions by model."""
    frame = next(iter(predictions.values()))
    span = _span(frame["ds"].min(), frame["ds"].max())
    models = words.count(len(predictions), "model")
    return f"Lines of {target}{_in(unit)}, observed and forecast by {models}, {span}{_range(frame['y'])}."


def of_leads(leads: dict, unit: str | None) -> str:
    """`leads` as `forecasts.lead_errors` gives them, with the first and the last lead."""
    ends = [(name, errors[0], errors[-1]) for name, errors in leads["rows"].items()]
    told = [f"{name} from {words.number(first)} to {words.number(last)}" for name, first, last in ends]
    first, last = leads["columns"][0], leads["columns"][-1]
    return f"Lines of the mean absolute error{_in(unit)} by lead time, {first} to {last} ahead: {words.listing(told)}."


def of_hydrograph(rows: pl.DataFrame, basin: dict) -> str:
    """One basin's rows of the predictions, and what the metrics say of it."""
    test = rows.filter(pl.col("split") == "test")["date"]
    marked = f"; the test part, {_span(test.min(), test.max())}, is marked" if len(test) else "; there is no test part"
    span = _span(rows["date"].min(), rows["date"].max())
    return (
        f"Lines of the observed and the simulated discharge of {basin['name']}{_in(basin['unit'])}, {span}"
        f"{_range(rows['obs'])}{marked}."
    )


def of_timeline(run: Run) -> str:
    """The tasks of a run."""
    nodes = {node for task in run.tasks for node, _ in task.places}
    cores = {place for task in run.tasks for place in task.places}
    where = f" of {words.count(len(nodes), 'node')}" if len(nodes) > 1 else ""
    stages = words.listing(sorted({task.stage for task in run.tasks}))
    total = words.duration(run.end - run.begin)
    return (
        f"Bars of {words.count(len(run.tasks), 'task')} on {words.count(len(cores), 'core')}{where} over {total}; "
        f"stages: {stages}."
    )


def _in(unit: str | None) -> str:
    return f" in {unit}" if unit else ""


def _span(first: date, last: date) -> str:
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _range(observed: pl.Series) -> str:
    known = observed.cast(pl.Float64).fill_nan(None).drop_nulls()
    if known.is_empty():
        return ", nothing of it observed"
    return f", observed from {words.number(known.min())} to {words.number(known.max())}"
