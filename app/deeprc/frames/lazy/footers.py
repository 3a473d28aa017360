"""What a file's footer says, and how Polars reads the file, for each kind of file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.frames.lazy.changed import Look, look
from deeprc.frames.lazy.deal import width
from deeprc.frames.lazy.listing import said
from deeprc.frames.remote.location import Remote, scan

Range = tuple[int, int]
RANGED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.Date)
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Footer:
    """What a file's footer says.

    Parameters
    ----------
    groups
        The rows of each row group.
    bytes
        Of each column, decoded.
    schema
        The columns.
    look
        What the file was before its footer was read.
    ranges
        Of columns by whose values the row groups are in order: the least and the largest value of each group.
    folders
        What the file says of the types of columns in the names of its folders (see `listing.recorded`).
    """

    groups: tuple[int, ...]
    bytes: dict[str, int]
    schema: pl.Schema
    look: Look
    ranges: dict[str, tuple[Range, ...]] = field(default_factory=dict)
    folders: dict[str, pl.DataType] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    footer: Callable[[Path | Remote], Footer]
    scan: Callable[[list[Path | Remote]], pl.LazyFrame]


def _parquet(file: Path | Remote) -> Footer:
    seen = look(file)
    if isinstance(file, Remote):
        with file.open() as opened:
            meta = pq.read_metadata(opened)
    else:
        meta = pq.read_metadata(file)
    groups = [meta.row_group(index) for index in range(meta.num_row_groups)]
    sizes: dict[str, int] = {}
    for group in groups:
        for index in range(group.num_columns):
            chunk = group.column(index)
            name = chunk.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + chunk.total_uncompressed_size
    schema = KINDS["parquet"].scan([file]).collect_schema()
    rows = tuple(group.num_rows for group in groups)
    return Footer(rows, sizes, schema, seen, _ranges(groups, schema), said(meta.metadata))


def _ranges(groups: Sequence[pq.RowGroupMetaData], schema: pl.Schema) -> dict[str, tuple[Range, ...]]:
    found = {}
    for index in range(groups[0].num_columns if groups else 0):
        name = groups[0].column(index).path_in_schema
        if schema.get(name) not in RANGED:
            continue
        ends = _range(groups[0], index), _range(groups[-1], index)
        if None in ends or (len(groups) > 1 and not in_order(ends)):
            continue
        ranges = tuple(_range(group, index) for group in groups if group.num_rows)
        if None not in ranges and len(ranges) == len(groups) and in_order(ranges):
            found[name] = ranges
    return found


def in_order(ranges: Sequence[Range]) -> bool:
    """Whether each range begins where the one before it ends, or after it."""
    return all(before[1] <= after[0] for before, after in pairwise(ranges))


def _range(group: pq.RowGroupMetaData, column: int) -> Range | None:
    """The least and the largest value of a row group that has no null there, as numbers."""
    known = group.column(column).statistics
    if known is None or not known.has_min_max or not known.has_null_count or known.null_count:
        return None
    ends = [(value - EPOCH).days if isinstance(value, date) else value for value in (known.min, known.max)]
    return (ends[0], ends[1]) if all(isinstance(value, int) for value in ends) and ends[0] <= ends[1] else None


def _arrow(file: Path | Remote) -> Footer:
    seen = look(file)
    with file.open() if isinstance(file, Remote) else pa.memory_map(str(file)) as opened:
        reader = pa.ipc.open_file(opened)
        if isinstance(file, Remote) and len(reader.schema):  # a batch's rows are told at its beginning: with one column
            reader = pa.ipc.open_file(
                opened, options=pa.ipc.IpcReadOptions(included_fields=[_narrowest(reader.schema)])
            )
        groups = tuple(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
    schema = KINDS["arrow"].scan([file]).collect_schema()
    return Footer(groups, {name: int(width({name: kind}) * sum(groups)) for name, kind in schema.items()}, schema, seen)


def _narrowest(schema: pa.Schema) -> int:
    widths = [getattr(kind, "bit_width", 2**20) if pa.types.is_primitive(kind) else 2**20 for kind in schema.types]
    return widths.index(min(widths))


KINDS = {
    "parquet": Kind(_parquet, partial(scan, partial(pl.scan_parquet, hive_partitioning=False))),
    "arrow": Kind(_arrow, partial(scan, partial(pl.scan_ipc, hive_partitioning=False))),
}
