"""What the charts show, in words: for who cannot see them, and for browsers without JavaScript."""

from __future__ import annotations

import polars as pl

from deeprc.reporting import words
from deeprc.reporting.alternatives import extent, in_unit, span


def of_ranking(rows: list[dict], unit: str | None) -> str:
    """`rows` as `content.model_rows` gives them."""
    models, naive = (
        [
            f"{row['name']} {words.number(row['mae'])}"
            for row in rows
            if row["naive"] is kind and row["mae"] is not None and not row["reference"]
        ]
        for kind in (False, True)
    )
    lines = f", beside lines for {words.listing(naive)}" if naive else ""
    return f"Bars of the mean absolute error{in_unit(unit)}: {words.listing(models)}{lines}."


def of_forecasts(predictions: dict[str, pl.DataFrame], target: str, unit: str | None) -> str:
    """The predictions by model."""
    frame = next(iter(predictions.values()))
    days = span(frame["ds"].min(), frame["ds"].max())
    models = words.count(len(predictions), "model")
    within = ", with intervals" if any("q0" in "".join(one.columns) for one in predictions.values()) else ""
    return f"Lines of {target}{in_unit(unit)}, observed and forecast by {models}{within}, {days}{extent(frame['y'])}."


def of_leads(leads: dict, unit: str | None) -> str:
    """`leads` as `forecasts.lead_errors` gives them, with the first and the last lead."""
    ends = [(name, errors[0], errors[-1]) for name, errors in leads["rows"].items()]
    told = [f"{name} from {words.number(first)} to {words.number(last)}" for name, first, last in ends]
    first, last = leads["columns"][0], leads["columns"][-1]
    return (
        f"Lines of the mean absolute error{in_unit(unit)} by lead time, {first} to {last} ahead: {words.listing(told)}."
    )
