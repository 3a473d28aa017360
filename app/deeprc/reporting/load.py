"""What the two applications left behind: metrics, the check of the data, predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.applications.base.prepared import read_arrow
from deeprc.core.errors import InputError
from deeprc.core.files import read_json

METRICS, CHECK = "metrics.json", "check.json"
MEASURES = ("mae", "rmse", "smape", "mase")
SKILLS = ("nse", "kge", "rmse", "bias", "days")
KINDS = {dict: "object", int: "whole number", float: "number", str: "text", bool: "true or false"}


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
        By model: `origin`, `ds`, `step`, `y`, `yhat` in original units, and of several series `id`. A model without
        any is left out.
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
    metrics = _read(folder / METRICS, models=dict, naive=dict, horizon=int)
    _check(metrics, {"windows": int, "target": str, "dataset": str, "unit": str}, where=folder / METRICS)
    _check(
        metrics,
        {"step": str, "ahead": str, "season": int, "season_length": str, "series": dict},
        where=folder / METRICS,
    )
    for kind, figures in (("models", (*MEASURES, "parameters")), ("naive", MEASURES)):
        for name, row in metrics[kind].items():
            _check(row, dict.fromkeys(figures, float), where=folder / METRICS, key=f"{kind}.{name}")
    for name, row in (metrics.get("series") or {}).items():
        _check(row, {"models": dict, "naive": dict}, where=folder / METRICS, key=f"series.{name}")
        for kind in ("models", "naive"):
            for other, figures in (row.get(kind) or {}).items():
                _check(
                    figures, dict.fromkeys(MEASURES, float), where=folder / METRICS, key=f"series.{name}.{kind}.{other}"
                )
    several = ("id",) if metrics.get("series") else ()
    files = {name: folder / "predictions" / f"{name}.arrow" for name in metrics["models"]}
    predictions = {
        name: _frame(path, "origin", "ds", "step", "y", "yhat", *several)
        for name, path in files.items()
        if path.is_file()
    }
    drawn = {name: frame for name, frame in predictions.items() if frame.height}
    return Forecasting(metrics, _optional(folder / CHECK), drawn)


def read_hydrology(folder: Path | None) -> Hydrology | None:
    """The hydrology results in `folder`; None where there are none."""
    if folder is None or not (folder / METRICS).is_file():
        return None
    path = folder / "predictions.arrow"
    predictions = _frame(path, "basin", "date", "split", "obs", "sim") if path.is_file() else None
    metrics = _read(folder / METRICS, basins=dict)
    _check(metrics, {"dataset": str}, where=folder / METRICS)
    skills = dict.fromkeys(SKILLS, float)
    others = {"name": str, "unit": str, "beats_reference": bool, "train": dict, "references": dict}
    for name, row in metrics["basins"].items():
        _check(row, skills | others, where=folder / METRICS, key=f"basins.{name}")
        for part, figures in (("train", row.get("train")), *(row.get("references") or {}).items()):
            _check(figures or {}, skills, where=folder / METRICS, key=f"basins.{name}.{part}")
    return Hydrology(metrics, _optional(folder / CHECK), predictions)


def _optional(path: Path) -> dict:
    return _read(path) if path.is_file() else {}


def _read(path: Path, **kinds: type) -> dict:
    """The object in a JSON file, in which `kinds` must be; numbers that are not finite are as if they were absent."""
    try:
        value = _finite(read_json(path))
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    if not isinstance(value, dict):
        raise InputError("not a JSON object", where=path, found=repr(value)[:80])
    for key in kinds:
        if value.get(key) is None:
            raise InputError(f"the key {key!r} is missing", where=path, found=", ".join(value))
    _check(value, kinds, where=path)
    return value


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check(row: object, kinds: Mapping[str, type], *, where: Path, key: str = "") -> None:
    """Raise an InputError where one of these values is there and is of another kind; an absent one is as null."""
    if not isinstance(row, dict):
        raise InputError(f"the key {key!r} is no object", where=where, found=repr(row)[:80])
    for name, kind in kinds.items():
        value, at = row.get(name), f"{key}.{name}" if key else name
        right = isinstance(value, (int, float) if kind is float else kind)
        if value is not None and (not right or (isinstance(value, bool) and kind is not bool)):
            raise InputError(f"the key {at!r} is no {KINDS[kind]}", where=where, found=repr(value)[:80])


def _frame(path: Path, *columns: str) -> pl.DataFrame:
    frame = pl.from_arrow(read_arrow(path))
    for name in columns:
        if name not in frame.columns:
            raise InputError(f"the column {name!r} is missing", where=path, found=", ".join(frame.columns))
    return frame.with_columns(pl.col("id").cast(pl.String)) if "id" in columns else frame
