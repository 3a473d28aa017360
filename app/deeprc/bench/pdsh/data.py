"""The tables, made by the generator in DuckDB's tpch extension, whose answers are those of these rows."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import polars as pl
import polars.selectors as cs

from deeprc.bench.pdsh.answers import connection
from deeprc.bench.pdsh.queries import TABLES
from deeprc.core.files import atomic
from deeprc.frames import Communicator, LazyFrame, scan_parquet


def make(folder: Path, scale: float) -> None:
    """Write a Parquet file for each table, unless they are there already; the folder appears when it is whole."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic(folder) as new:
        new.mkdir()
        database = connection().cursor()
        database.execute(f"CALL dbgen(sf={scale})")
        for table in TABLES:
            database.execute(f"COPY {table} TO '{new / table}.parquet' (FORMAT parquet)")
            database.execute(f"DROP TABLE {table}")


class Scans(dict):
    """The tables of a folder by name, each scanned when it is first asked for; by Polars where there are no ranks.

    Decimals are computed as floats, as others do.

    Parameters
    ----------
    columns
        Those that are given of all tables; every one where it is None.
    """

    def __init__(self, folder: Path, comm: Communicator | None, columns: Container[str] | None = None) -> None:
        super().__init__()
        self.folder, self.comm, self.columns = folder, comm, columns

    def __missing__(self, table: str) -> LazyFrame | pl.LazyFrame:
        file = self.folder / f"{table}.parquet"
        scan = pl.scan_parquet(file) if self.comm is None else scan_parquet(file, self.comm)
        if self.columns is not None:
            scan = scan.select(name for name in scan.collect_schema().names() if name in self.columns)
        self[table] = scan.with_columns(cs.decimal().cast(pl.Float64))
        return self[table]
