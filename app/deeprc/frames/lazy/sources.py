"""Where lazy frames come from: files, and several lazy frames one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.communicator import Communicator, check_same
from deeprc.frames.lazy import csv, scan
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.frame import LazyFrame
from deeprc.frames.lazy.nodes import Source
from deeprc.frames.lazy.several import Concat
from deeprc.frames.names import no_patterns


def scan_parquet(path: str | Path, comm: Communicator) -> LazyFrame:
    """A Parquet file, the `*.parquet` of a folder, or the files that match a pattern, to be read when asked for.

    Folders `name=value` in the folder stand for columns. Collective: the ranks read the files' footers together.
    """
    return _scanned(scan.files(path, "parquet", ranks(comm)), comm)


def scan_arrow(path: str | Path, comm: Communicator) -> LazyFrame:
    """Arrow IPC files, memory-mapped; otherwise as `scan_parquet`."""
    return _scanned(scan.files(path, "arrow", ranks(comm)), comm)


def scan_csv(path: str | Path, comm: Communicator, **options: Any) -> LazyFrame:
    """CSV files (`*.csv` of a folder), dealt by bytes; a file with quotes in it is read by one rank.

    Parameters
    ----------
    options
        Polars' separator, quote_char, null_values, has_header, schema_overrides, infer_schema_length.
    """
    return _scanned(csv.text(path, options, ranks(comm)), comm)


def ranks(comm: Communicator) -> Communicator:
    """The ranks, if they are a communicator of ours."""
    if not isinstance(comm, Communicator):
        raise InputError(
            "the ranks are given as a Communicator",
            found=type(comm).__name__,
            fix="Communicator.world(), Communicator.alone(), or Communicator(comm) of one of mpi4py",
        )
    return comm


def _scanned(rows: scan.Files | csv.Text, comm: Communicator) -> LazyFrame:
    no_patterns(rows.schema)
    return LazyFrame(Source(schema=rows.schema, rows=rows), comm)


def concat(frames: Sequence[LazyFrame], *, how: str = "vertical") -> LazyFrame:
    """The rows of several lazy frames, one after the other: `vertical`, `vertical_relaxed` or `diagonal`."""
    listed = list(frames)
    if not listed:
        raise InputError("concat: no frame is given")
    if how not in ("vertical", "vertical_relaxed", "diagonal", "diagonal_relaxed"):
        raise InputError(
            "concat: frames are not put together so", found=how, expected="vertical, vertical_relaxed, diagonal"
        )
    for each in listed[1:]:
        check_same("concat", listed[0].comm, each.comm)
    try:
        schema = pl.concat([empty(each.schema) for each in listed], how=how).collect_schema()
    except pl.exceptions.PolarsError as error:
        said = " ".join(str(error).split("\n\n")[0].replace(",got", ", got").split())  # after it comes Polars' plan
        raise InputError(f"concat: {said}") from error
    alike = [_alike(each, schema) for each in listed]
    return listed[0]._with(Concat(schema=schema, pieces=tuple(each._node for each in alike)))


def _alike(frame: LazyFrame, schema: pl.Schema) -> LazyFrame:
    if frame.schema == schema and frame.columns == schema.names():
        return frame
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, dtype=kind).alias(name)
        for name, kind in schema.items()
    )
