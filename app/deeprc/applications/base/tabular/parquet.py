"""Parquet files: their columns have types already."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from deeprc.core.errors import InputError

MAGIC = b"PAR1"


def read_parquet(data: bytes, path: Path) -> tuple[list[str], list[pl.Series]]:
    """Names and columns of a Parquet file; words of a category become strings.

    Raises
    ------
    InputError
        For a file that is broken, or has no rows, or a name that holds a zero byte.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        problem = "this Parquet file cannot be read"
        cause = str(error).splitlines()[0]
        raise InputError(problem, where=path, found=cause, fix="is it whole? copy or write it anew") from None
    if not frame.height:
        raise InputError("the file has no rows", where=path)
    for name in frame.columns:
        if "\0" in name:
            raise InputError("the name of a column holds a zero byte", where=path, found=repr(name), fix="rename it")
    words = [pl.Categorical, pl.Enum]
    columns = [column.cast(pl.String) if column.dtype in words else column for column in frame]
    return frame.columns, columns
