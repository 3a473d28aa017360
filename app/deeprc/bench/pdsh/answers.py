"""Reference answers: those of DuckDB's tpch extension, from the wheels duckdb and duckdb-extension-tpch."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from deeprc.core.errors import DeepRCError

SCALES = (0.01, 0.1, 1.0)  # for which there are answers
CLOSE = 1e-9  # floats are rounded at every addition


@functools.cache
def connection() -> Any:
    """DuckDB with the extension, loaded from its wheel: nothing is fetched.

    Raises
    ------
    DeepRCError
        When one of both is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise missing("duckdb") from error
    found = importlib.util.find_spec("duckdb_extension_tpch")
    places = [Path(place) for place in (found.submodule_search_locations if found else None) or ()]
    file = next((file for place in places for file in place.glob("extensions/*/tpch.duckdb_extension")), None)
    if file is None:
        raise missing("duckdb-extension-tpch")
    opened = duckdb.connect()
    opened.execute(f"LOAD '{file}'")
    return opened


def missing(package: str) -> DeepRCError:
    return DeepRCError(f"{package} is not installed", expected="the packages of the extra bench", fix="make install")


def answers(scale: float) -> dict[int, list[list[str]]]:
    """The rows of each query's answer, as text."""
    query = "SELECT query_nr, answer FROM tpch_answers() WHERE scale_factor = ?"
    found = connection().execute(query, [scale]).fetchall()
    return {number: [line.split("|") for line in text.split("\n")[1:-1]] for number, text in found}


def difference(found: pl.DataFrame, expected: Sequence[Sequence[str]]) -> str | None:
    """The first difference from an answer, in a sentence; None when there is none."""
    if found.height != len(expected):
        return f"{found.height} rows, not {len(expected)}"
    for number, (ours, theirs) in enumerate(zip(found.rows(), expected, strict=True)):
        if len(ours) != len(theirs):
            return f"{len(ours)} columns, not {len(theirs)}"
        for name, value, text in zip(found.columns, ours, theirs, strict=True):
            if not _same(value, text):
                return f"row {number}, {name}: {value!r}, not {text}"
    return None


def _same(value: Any, text: str) -> bool:
    if isinstance(value, float | Decimal) and text:
        return math.isclose(value, float(text), rel_tol=CLOSE, abs_tol=_last_place(text))
    return ("" if value is None else str(value)) == text


def _last_place(text: str) -> float:
    """Half of what the last digit told stands for, and a little for the rounding of halves."""
    return 0.501 * 10.0 ** -len(text.partition(".")[2]) if "e" not in text else 0.0
