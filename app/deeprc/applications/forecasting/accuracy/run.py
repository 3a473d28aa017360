"""All cells that were asked for, beside what was published."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deeprc.applications.forecasting.accuracy import cells, published
from deeprc.applications.forecasting.accuracy.protocol import SETTINGS, TOLERANCE, cell
from deeprc.core.errors import unknown
from deeprc.reporting.provenance import measured_on


def run(
    data: Path,
    models: Sequence[str],
    horizons: Sequence[int],
    seeds: Sequence[int],
    folder: Path,
    threads: int = 1,
    minutes: float | None = None,
) -> dict:
    """Train and judge.

    Parameters
    ----------
    folder
        What was measured is kept there by a key of its data, options, code and libraries, and not measured again.
    minutes
        No training begins later; what has not run says so. What was kept is told all the same.

    Returns
    -------
    dict
        `gate` (`met`, `missed` or `not run`), `cells` (a row for each model and horizon), and what they were measured
        on.
    """
    for name in models:
        if name not in SETTINGS:
            raise unknown("model", name, SETTINGS)
    for horizon in horizons:
        if horizon not in published.HORIZONS:
            raise unknown("horizon", str(horizon), [str(one) for one in published.HORIZONS])
    folder.mkdir(parents=True, exist_ok=True)
    source, began = cells.EttFile.of(data, tuple(published.ROWS), folder), time.monotonic()

    def late() -> bool:
        return minutes is not None and time.monotonic() - began > 60 * minutes

    rows, naive = [], {}
    for model in models:
        for horizon in horizons:
            runs = []
            for seed in seeds:
                one = cell(model, horizon, seed)
                if late() and not cells.kept(source, one, threads).is_file():
                    break
                runs.append({"seed": seed, **cells.measured(source, one, threads, _say)})
                if horizon not in naive:
                    naive[horizon] = cells.references(cells.prepared(source, one, lambda *_: None))
            rows.append(row(source.name, model, horizon, runs, len(seeds)))
            _say(f"{model}, horizon {horizon}: {rows[-1]['verdict']}")
    return {
        "data": {"name": source.name, "sha256": source.sha256},
        "protocol": {
            "months": "12 train, 4 validate, 4 test; windows of every hour, none of the test part left out",
            "scale": "mean and deviation of each series in the training part",
            "series": "all seven, targets and inputs alike",
            "cells": {name: _told(name, horizons[0], seeds[0]) for name in models},
        },
        "tolerance": TOLERANCE,
        "gate": gate(rows),
        "cells": rows,
        "naive": {str(horizon): found for horizon, found in sorted(naive.items())},
        "machine": measured_on(("deeprc", "torch", "neuralforecast")),
        "threads": threads,
    }


def row(dataset: str, model: str, horizon: int, runs: list[dict], wanted: int) -> dict:
    """A row: the mean of its runs beside what was published, and the verdict."""
    theirs = published.row(dataset, model, horizon)
    found = {"model": model, "horizon": horizon, "published": theirs, "runs": runs}
    if len(runs) < wanted:
        return found | {"verdict": "not run"}
    mean = {name: round(statistics.fmean(one[name] for one in runs), 5) for name in ("mse", "mae")}
    difference = round(mean["mse"] - theirs["mse"], 5)
    return found | mean | {"difference": difference, "verdict": verdict(difference)}


def verdict(difference: float) -> str:
    """`within` the tolerance of the published MSE, or `better` or `worse` by more."""
    if abs(difference) <= TOLERANCE:
        return "within"
    return "better" if difference < 0 else "worse"


def gate(rows: Sequence[dict]) -> str:
    """`missed` where a row is worse, `not run` where one was not measured, else `met`."""
    verdicts = {row["verdict"] for row in rows}
    return "missed" if "worse" in verdicts else "not run" if "not run" in verdicts else "met"


def table(figures: dict) -> str:
    """The figures as a table in Markdown."""
    lines = [
        "| model | horizon | MSE | published | difference | MAE | published | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in figures["cells"]:
        theirs = found["published"]
        ours = [f"{found[name]:.3f}" if name in found else "–" for name in ("mse", "mae")]
        difference = f"{found['difference']:+.3f}" if "difference" in found else "–"
        lines.append(
            f"| {found['model']} | {found['horizon']} | {ours[0]} | {theirs['mse']:.3f} | {difference} | {ours[1]} | "
            f"{theirs['mae']:.3f} | {found['verdict']} |"
        )
    for horizon, rows in figures["naive"].items():
        for name, one in rows.items():
            lines.append(f"| {name} | {horizon} | {one['mse']:.3f} | | | {one['mae']:.3f} | | |")
    return "\n".join(lines)


def _told(name: str, horizon: int, seed: int) -> dict:
    one = cell(name, horizon, seed)
    return {
        "zoo": one.name,
        "context": one.data.input_size,
        "calendar_as": one.data.calendar_as,
        **one.train.model_dump(exclude={"seed", "synchronisation"}),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
