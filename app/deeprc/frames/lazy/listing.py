"""The files that a path means, and what the names of their folders say about their rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames import io
from deeprc.frames.remote.location import Remote

PART = re.compile(r"([^=]+)=(.*)")  # a folder `name=value`, which stands for a column
NULL = "__HIVE_DEFAULT_PARTITION__"
WHOLE, DAY = re.compile(r"[+-]?\d{1,18}"), re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Listing:
    """Files in the order of their names.

    Parameters
    ----------
    values
        A row per file: the columns that stand in the names of its folders (`month=3/…`); none where there are none.
    """

    files: tuple[Path | Remote, ...]
    values: pl.DataFrame


def listed(path: str | Path, pattern: str) -> Listing:
    """A file, the files of a folder (also in folders `name=value` in it), or those that match a pattern.

    Raises
    ------
    InputError
        When there is none, or folders are parted by a column here and not there.
    """
    root = io.place(path)
    parted = root.is_dir() and any(entry.is_dir() and PART.fullmatch(entry.name) for entry in root.iterdir())
    if not parted:
        return Listing(tuple(io._files(root, pattern)), pl.DataFrame())
    files = [file for file in sorted(root.rglob(pattern)) if file.is_file() and not _hidden(file.relative_to(root))]
    told = [[PART.fullmatch(folder) for folder in file.relative_to(root).parts[:-1]] for file in files]
    names = [[part[1] if part else None for part in parts] for parts in told]
    for file, columns in zip(files, names, strict=True):
        if None in columns or columns != names[0]:
            raise InputError(
                "the folders are not parted alike",
                where=file,
                found="/".join(name or "no name=value" for name in columns) or "a file beside the folders",
                expected="/".join(name or "no name=value" for name in names[0]) + f" ({files[0]})",
                fix="move the file away, or give a pattern",
            )
    if not files:
        raise InputError("no such file in the folders", where=root, expected=pattern)
    return Listing(
        tuple(files),
        pl.DataFrame([_column(name, [parts[at][2] for parts in told]) for at, name in enumerate(names[0])]),
    )


def _hidden(file: PurePath) -> bool:
    return any(part.startswith(".") for part in file.parts) or file.name.startswith("_")


def _column(name: str, texts: Sequence[str]) -> pl.Series:
    """Whole numbers and days are such, where all values are; everything else is text."""
    values = [None if text == NULL else unquote(text) for text in texts]
    there = [value for value in values if value is not None]
    series = pl.Series(name, values, dtype=pl.String)
    if there and all(WHOLE.fullmatch(value) for value in there):
        return series.cast(pl.Int64)
    if there and all(DAY.fullmatch(value) for value in there):
        return series.str.to_date("%Y-%m-%d")
    return series
