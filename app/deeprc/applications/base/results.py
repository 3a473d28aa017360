"""Read what a pipeline left behind, for the report; an incomplete file is named, together with the missing key."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from deeprc.applications.base.application import CHECK, METRICS
from deeprc.applications.base.prepared import read_arrow
from deeprc.core.errors import InputError
from deeprc.core.files import read_json
from deeprc.reporting.section import Results

KINDS = {dict: "object", int: "whole number", float: "number", str: "text", bool: "true or false", list: "list"}


def read_results(folder: Path, **kinds: type) -> Results | None:
    """The metrics in `folder`, which must contain `kinds`, and the data's check; None where there are no metrics."""
    if not (folder / METRICS).is_file():
        return None
    return Results(read_object(folder / METRICS, **kinds), read_check(folder / CHECK))


def read_check(path: Path) -> dict:
    """What the stage check wrote; empty where it is missing."""
    return read_object(path) if path.is_file() else {}


def read_object(path: Path, **kinds: type) -> dict:
    """The object in a JSON file, which must contain `kinds`; numbers that are not finite are treated as absent."""
    try:
        value = _finite(read_json(path))
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    if not isinstance(value, dict):
        raise InputError("not a JSON object", where=path, found=repr(value)[:80])
    for key in kinds:
        if value.get(key) is None:
            raise InputError(f"the key {key!r} is missing", where=path, found=", ".join(value))
    check_kinds(value, kinds, where=path)
    return value


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_kinds(row: object, kinds: Mapping[str, type], *, where: Path, key: str = "") -> None:
    """Raise an InputError where one of these values has another kind; an absent one counts as null."""
    if not isinstance(row, dict):
        raise InputError(f"the key {key!r} is no object", where=where, found=repr(row)[:80])
    for name, kind in kinds.items():
        value, at = row.get(name), f"{key}.{name}" if key else name
        right = isinstance(value, (int, float) if kind is float else kind)
        if value is not None and (not right or (isinstance(value, bool) and kind is not bool)):
            raise InputError(f"the key {at!r} is no {KINDS[kind]}", where=where, found=repr(value)[:80])


def read_frame(path: Path, *columns: str) -> pl.DataFrame:
    """The table in an Arrow file that has these columns; `id` as text."""
    frame = pl.from_arrow(read_arrow(path))
    for name in columns:
        if name not in frame.columns:
            raise InputError(f"the column {name!r} is missing", where=path, found=", ".join(frame.columns))
    return frame.with_columns(pl.col("id").cast(pl.String)) if "id" in columns else frame
