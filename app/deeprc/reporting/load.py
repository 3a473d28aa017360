"""What the two applications left behind: metrics, the check of the data, predictions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.errors import InputError
from deeprc.files import read_json

METRICS, CHECK = "metrics.json", "check.json"


@dataclass(frozen=True)
class Forecasting:
    """The forecasting results.

    Attributes
    ----------
    metrics
        As the stage evaluate wrote them.
    check
        As the stage check wrote it; empty where it is missing.
    predictions
        By model: `origin`, `ds`, `step`, `y`, `yhat` in original units. A model without any is left out.
    """

    metrics: dict
    check: dict
    predictions: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Hydrology:
    """The hydrology results: metrics, check, and the predictions `basin`, `date`, `split`, `obs`, `sim` (or None)."""

    metrics: dict
    check: dict
    predictions: pl.DataFrame | None


def read_forecasting(folder: Path | None) -> Forecasting | None:
    """The forecasting results in `folder`; None where there are none."""
    if folder is None or not (folder / METRICS).is_file():
        return None
    metrics = _read(folder / METRICS, "models", "naive", "horizon")
    files = {name: folder / "predictions" / f"{name}.arrow" for name in metrics["models"]}
    predictions = {
        name: _frame(path, "origin", "ds", "step", "y", "yhat") for name, path in files.items() if path.is_file()
    }
    drawn = {name: frame for name, frame in predictions.items() if frame.height}
    return Forecasting(metrics, _optional(folder / CHECK), drawn)


def read_hydrology(folder: Path | None) -> Hydrology | None:
    """The hydrology results in `folder`; None where there are none."""
    if folder is None or not (folder / METRICS).is_file():
        return None
    path = folder / "predictions.arrow"
    predictions = _frame(path, "basin", "date", "split", "obs", "sim") if path.is_file() else None
    return Hydrology(_read(folder / METRICS, "basins"), _optional(folder / CHECK), predictions)


def _optional(path: Path) -> dict:
    return _read(path) if path.is_file() else {}


def _read(path: Path, *keys: str) -> dict:
    try:
        value = read_json(path)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    for key in keys:
        if key not in value:
            raise InputError(f"the key {key!r} is missing", where=path, found=", ".join(value))
    return value


def _frame(path: Path, *columns: str) -> pl.DataFrame:
    frame = pl.read_ipc(path)
    for name in columns:
        if name not in frame.columns:
            raise InputError(f"the column {name!r} is missing", where=path, found=", ".join(frame.columns))
    return frame
