"""Tables without rows, on which Polars tells what would become of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import polars as pl


def empty(schema: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """A lazy frame with these columns and no rows; a plan asks for the same ones again and again."""
    return _made(tuple(schema.items()))


@functools.lru_cache(maxsize=1024)
def _made(columns: tuple[tuple[str, pl.DataType], ...]) -> pl.LazyFrame:
    return pl.LazyFrame(schema=dict(columns))
