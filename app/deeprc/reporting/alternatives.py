"""What the charts show, in words: for who cannot see them, and for browsers without JavaScript."""

from __future__ import annotations

from datetime import date

import polars as pl

from deeprc.reporting import words
from deeprc.reporting.events import Run


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


def in_unit(unit: str | None) -> str:
    """` in µg/m³`, or nothing."""
    return f" in {unit}" if unit else ""


def span(first: date, last: date) -> str:
    """From one day to another."""
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"


def extent(observed: pl.Series) -> str:
    """What was observed, from the least to the most."""
    known = observed.cast(pl.Float64).fill_nan(None).drop_nulls()
    if known.is_empty():
        return ", nothing of it observed"
    return f", observed from {words.number(known.min())} to {words.number(known.max())}"
