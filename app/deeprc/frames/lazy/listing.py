"""The files that a path means, and what the names of their folders say about their rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath
from urllib.parse import unquote

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames import io
from deeprc.frames.remote.location import Remote

PART = re.compile(r"([^=]+)=(.*)")  # a folder `name=value`, which stands for a column
NULL = "__HIVE_DEFAULT_PARTITION__"
FOLDERS = b"deeprc.folders"  # in a Parquet file's footer: the types of what stands in the names of its folders
TYPES = {str(kind): kind for kind in (*pl.datatypes.group.INTEGER_DTYPES, pl.String, pl.Date)}  # that can stand there


@dataclass(frozen=True)
class Listing:
    """Files in the order of their names.

    Parameters
    ----------
    values
        A row per file: the columns that stand in the names of its folders (`month=3/…`), as text (see `typed`); none
        where there are none.
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
    return pl.Series(name, [None if text == NULL else unquote(text) for text in texts], dtype=pl.String)


def recorded(kinds: Mapping[str, pl.DataType]) -> dict[bytes, bytes]:
    """What a Parquet file's footer says of the types of the columns in the names of its folders."""
    return {FOLDERS: json.dumps({name: str(kind) for name, kind in kinds.items()}).encode()}


def said(metadata: Mapping[bytes, bytes] | None) -> dict[str, pl.DataType]:
    """What `recorded` has written; nothing where somebody else wrote the file."""
    try:
        return {name: TYPES[kind] for name, kind in json.loads((metadata or {}).get(FOLDERS, b"{}")).items()}
    except (ValueError, LookupError, AttributeError, TypeError):
        return {}


def typed(texts: pl.Series, kinds: set[pl.DataType | None]) -> pl.Series:
    """Values in the names of folders.

    Parameters
    ----------
    kinds
        What the files say of the column's type; None for a file that says nothing.

    Returns
    -------
    Of the type that all files say. Else whole numbers (Int64) or days, where each is written back as the same text:
    `01` and `1` are two values.
    """
    if len(kinds) == 1 and (kind := next(iter(kinds))) is not None:
        read = texts.str.to_date("%Y-%m-%d", strict=False) if kind == pl.Date else texts.cast(kind, strict=False)
        if texts.equals(read.cast(pl.String)):
            return read
    there = texts.drop_nulls().to_list() if pl.String not in kinds else []
    if there and all(_is_whole(text) for text in there):
        return texts.cast(pl.Int64)
    if there and all(_is_day(text) for text in there):
        return texts.str.to_date("%Y-%m-%d")
    return texts


def apart(stored: Iterable[str], folders: Iterable[str], file: Path | Remote) -> None:
    """Raise an InputError for a column of the files that stands in the names of their folders, too."""
    both = sorted(set(stored) & set(folders))
    if both:
        raise InputError(
            f"column {both[0]!r} stands in the files and in the names of their folders",
            where=file,
            fix="rename the column, or read the files by a pattern without these folders",
        )


def _is_whole(text: str) -> bool:
    found = re.fullmatch(r"-?[0-9]{1,19}", text)
    return found is not None and str(int(text)) == text and -(2**63) <= int(text) < 2**63


def _is_day(text: str) -> bool:
    try:
        return re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None and str(date.fromisoformat(text)) == text
    except ValueError:
        return False
