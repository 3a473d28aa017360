"""What a file's footer says, and how Polars reads the file, for each kind of file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.frames.lazy.deal import width


@dataclass(frozen=True)
class Footer:
    """The rows of each row group, the decoded bytes of each column, and the columns."""

    groups: tuple[int, ...]
    bytes: dict[str, int]
    schema: pl.Schema


@dataclass(frozen=True)
class Kind:
    footer: Callable[[Path], Footer]
    scan: Callable[[list[Path]], pl.LazyFrame]


def _parquet(file: Path) -> Footer:
    meta = pq.read_metadata(file)
    groups = [meta.row_group(index) for index in range(meta.num_row_groups)]
    sizes: dict[str, int] = {}
    for group in groups:
        for index in range(group.num_columns):
            chunk = group.column(index)
            name = chunk.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + chunk.total_uncompressed_size
    return Footer(tuple(group.num_rows for group in groups), sizes, pl.Schema(pl.read_parquet_schema(file)))


def _arrow(file: Path) -> Footer:
    reader = pa.ipc.open_file(pa.memory_map(str(file)))
    groups = tuple(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
    schema = pl.Schema(pl.read_ipc_schema(file))
    return Footer(groups, {name: int(width({name: kind}) * sum(groups)) for name, kind in schema.items()}, schema)


KINDS = {
    "parquet": Kind(_parquet, lambda files: pl.scan_parquet(files, glob=False, hive_partitioning=False)),
    "arrow": Kind(_arrow, lambda files: pl.scan_ipc(files, glob=False, hive_partitioning=False)),
}
