"""A folder of Parquet files parted by columns: `year=2013/month=2/part-00000.parquet`, as `listing` reads them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pyarrow.parquet as pq

from deeprc.core.errors import InputError
from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator
from deeprc.frames.io import _whole_folder, local_path, storage_error
from deeprc.frames.lazy.listing import NULL, recorded
from deeprc.frames.names import known, names
from deeprc.frames.wire import to_table

LONGEST = 255  # bytes of a name, in nearly every file system


def write_parted(df: pl.DataFrame, folder: str | Path, by: str | Sequence[str], comm: Communicator) -> None:
    """Write this rank's rows to the folders of their values; all folders appear together, when they are whole.

    Each file says the types of these values, which their text does not tell. No rows at all are one file of
    all columns.

    Raises
    ------
    InputError
        For a column or a value that cannot stand in the name of a folder, or when no column is left.
    """
    with comm.together("sink_parquet") as same:
        keys = names(by, "sink_parquet, partition_by")
        same[ARGUMENTS] = f"sink_parquet({str(folder)!r}, partition_by={keys})"
        known(keys, df.columns)
        local_path(folder)
        for name in keys:
            _check_column(name, df.schema[name])
        if len(keys) == df.width:
            raise InputError("sink_parquet: no column is left beside those of the folders", found=", ".join(keys))
        kinds = recorded({name: df.schema[name] for name in keys})
        parts: dict[Path, pl.DataFrame] = {}
        for values, rows in df.partition_by(keys, as_dict=True, include_key=False).items():
            parts[Path(*(_named(name, value) for name, value in zip(keys, values, strict=True)))] = rows
    if not comm.allreduce(df.height) and comm.rank == 0:
        parts[Path()] = df.select(pl.exclude(keys), *keys)
    with _whole_folder(Path(folder), comm) as temporary:
        for inner, rows in parts.items():
            try:
                (temporary / inner).mkdir(parents=True, exist_ok=True)
                table = to_table(rows)
                with (temporary / inner / f"part-{comm.rank:05d}.parquet").open("wb") as handle:
                    pq.write_table(table.replace_schema_metadata(kinds), handle, compression="zstd")
                    handle.flush()
                    os.fsync(handle.fileno())
            except OSError as error:
                raise storage_error(error, Path(folder)) from error


def _check_column(name: str, kind: pl.DataType) -> None:
    if not (kind.is_integer() or kind in (pl.String, pl.Date)):
        raise InputError(
            f"column {name!r} cannot stand in the names of folders",
            found=kind,
            expected="whole numbers, text or days",
            fix=f"cast it: with_columns(pl.col({name!r}).cast(pl.String))",
        )
    if not name or name.startswith(".") or "=" in name or "/" in name:
        raise InputError("a column of this name cannot stand in the name of a folder", found=repr(name))


def _named(name: str, value: object) -> str:
    """The folder of a value; what is no letter, number or one of `_.-~` in percent signs."""
    if value == NULL:
        raise InputError(
            f"column {name!r}: this text cannot stand in the name of a folder, where it means null",
            found=value,
            fix="replace it by another text, or by null",
        )
    folder = f"{name}={NULL if value is None else quote(str(value), safe='')}"
    if (size := len(os.fsencode(folder))) > LONGEST:
        raise InputError(
            f"column {name!r}: a value is too long for the name of a folder",
            found=f"{folder[:40]}… ({size:,} bytes)",
            expected=f"at most {LONGEST} bytes, in which all but ASCII letters and digits take three each",
            fix="part the rows by another column",
        )
    return folder
