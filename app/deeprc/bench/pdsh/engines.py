"""Who answers a query: Deep RC's lazy frames, Polars alone, DuckDB alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from deeprc.bench.pdsh.data import Scans
from deeprc.bench.pdsh.queries import QUERIES, TABLES, read_by
from deeprc.frames import Communicator

ENGINES = ("arrow", "polars", "duckdb")
COLUMNS = ("all", "pruned")  # of the tables: as they are, or those that the query names
Answer = Callable[[int], pl.DataFrame | None]


def engine(name: str, folder: Path, comm: Communicator, columns: str = COLUMNS[0]) -> Answer:
    """What answers a query by its number, Parquet read included; on rank 0 alone the answer is given."""
    return {"arrow": _arrow, "polars": _polars, "duckdb": _duckdb}[name](folder, comm, columns)


def _arrow(folder: Path, comm: Communicator, columns: str) -> Answer:
    def answer(number: int) -> pl.DataFrame | None:
        found = pl.from_arrow(QUERIES[number](_scans(folder, comm, number, columns)).collect().gather())
        return found if comm.rank == 0 else None

    return answer


def _polars(folder: Path, comm: Communicator, columns: str) -> Answer:
    return lambda number: QUERIES[number](_scans(folder, None, number, columns)).collect(engine="streaming")


def _scans(folder: Path, comm: Communicator | None, number: int, columns: str) -> Scans:
    return Scans(folder, comm, read_by(number) if columns == "pruned" else None)


def _duckdb(folder: Path, comm: Communicator, columns: str) -> Answer:
    from deeprc.bench.pdsh.answers import connection

    database = connection().cursor()
    database.execute(f"SET threads = {pl.thread_pool_size()}")
    for table in TABLES:
        database.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM read_parquet('{folder / table}.parquet')")

    def answer(number: int) -> pl.DataFrame:
        found = database.execute(f"PRAGMA tpch({number})")
        names, rows = [column[0] for column in found.description], found.fetchall()
        return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)

    return answer
