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
from deeprc.frames.lazy.listing import NULL
from deeprc.frames.names import known, names
from deeprc.frames.wire import to_table


def write_parted(df: pl.DataFrame, folder: str | Path, by: str | Sequence[str], comm: Communicator) -> None:
    """Write this rank's rows to the folders of their values; all folders appear together, when they are whole.

    Raises
    ------
    InputError
        For a column that cannot stand in the name of a folder, or when no column is left.
    """
    with comm.together("sink_parquet") as same:
        keys = names(by, "sink_parquet, partition_by")
        same[ARGUMENTS] = f"sink_parquet({str(folder)!r}, partition_by={keys})"
        known(keys, df.columns)
        local_path(folder)
        for name in keys:
            kind = df.schema[name]
            if not (kind.is_integer() or kind in (pl.String, pl.Date)):
                raise InputError(
                    f"column {name!r} cannot stand in the names of folders",
                    found=kind,
                    expected="whole numbers, text or days",
                    fix=f"cast it: with_columns(pl.col({name!r}).cast(pl.String))",
                )
            if "=" in name or "/" in name:
                raise InputError("a column of this name cannot stand in the name of a folder", found=name)
        if len(keys) == df.width:
            raise InputError("sink_parquet: no column is left beside those of the folders", found=", ".join(keys))
    with _whole_folder(Path(folder), comm) as temporary:
        for values, rows in df.partition_by(keys, as_dict=True, include_key=False).items():
            told = (f"{name}={_told(value)}" for name, value in zip(keys, values, strict=True))
            inner = temporary.joinpath(*told)
            try:
                inner.mkdir(parents=True, exist_ok=True)
                with (inner / f"part-{comm.rank:05d}.parquet").open("wb") as handle:
                    pq.write_table(to_table(rows), handle, compression="zstd")
                    handle.flush()
                    os.fsync(handle.fileno())
            except OSError as error:
                raise storage_error(error, Path(folder)) from error


def _told(value: object) -> str:
    """A value as the name of a folder; what is no letter, number or one of `_.-~` in percent signs."""
    return NULL if value is None else quote(str(value), safe="")
