"""The files that a path means, and what the names of their folders say about their rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames import io
from deeprc.frames.files import found
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
    """A file, those of a folder and of folders in it, or those that match a pattern; folders `name=value` are columns.

    Raises
    ------
    InputError
        When there is none, or folders are parted by a column here and not there.
    """
    root, files = found(io.place(path), pattern)
    folders = [file.relative_to(root).parts[:-1] for file in files]
    told = [[part for folder in each if (part := PART.fullmatch(folder))] for each in folders]
    names = [[part[1] for part in parts] for parts in told]
    for file, columns in zip(files, names, strict=True):
        if columns != names[0] or len(set(columns)) < len(columns):
            raise InputError(
                "the folders are not parted alike",
                where=file,
                found="/".join(columns) or "no folder name=value",
                expected=("/".join(dict.fromkeys(names[0])) or "no folder name=value") + f" ({files[0]})",
                fix="move the file away, or give a pattern",
            )
    values = [_column(name, [parts[at][2] for parts in told]) for at, name in enumerate(names[0])]
    return Listing(tuple(files), pl.DataFrame(values))


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


def of_type(texts: pl.Series, kind: pl.DataType, file: Path | Remote) -> pl.Series:
    """Values in the names of folders, of the type that a column of this name has in the files: as Polars writes them.

    Raises
    ------
    InputError
        When a text is no such value.
    """
    if kind == pl.Boolean:
        read = texts.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    elif kind == pl.Datetime:
        read = texts.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit=kind.time_unit, strict=False)
        read = read if kind.time_zone is None else read.dt.replace_time_zone("UTC").dt.convert_time_zone(kind.time_zone)
    elif kind == pl.Date:
        read = texts.str.to_date("%Y-%m-%d", strict=False)
    else:
        read = texts.cast(kind, strict=False)
    if wrong := texts.filter(read.is_null() & texts.is_not_null()).to_list():
        raise InputError(
            f"column {texts.name!r} stands in the files, too, with a type that its folders' names do not fit",
            where=file,
            found=f"{texts.name}={wrong[0]}",
            expected=kind,
            fix="rename the folders, or write the table anew",
        )
    return read


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
