"""The operations of `deeprc bench frames` by others: Polars, DuckDB, pandas, and Dask with its worker processes."""

from __future__ import annotations

import atexit
import itertools
import time
from collections.abc import Callable
from typing import Any

import polars as pl

from deeprc.bench.machine import ProcessUse, forget_peak, peak_mb

SUMS = {"value": "value_sum", "other": "other_sum"}
PARTITIONS = 2  # of each worker of Dask


def _polars(op: str, left: pl.DataFrame, right: pl.DataFrame) -> Callable[[], pl.DataFrame]:
    rows, others = left.lazy(), right.lazy()
    sums = pl.col("value").sum().alias("value_sum"), pl.col("other").sum().alias("other_sum")
    plan = {
        "sort": lambda: rows.sort("key"),
        "groupby": lambda: rows.group_by("key").agg(sums[0]),
        "join": lambda: rows.join(others, on="key"),
        "pipeline": lambda: (
            rows.join(others, on="key")
            .group_by("key")
            .agg(sums)
            .sort("key")
            .with_columns(pl.col("value_sum", "other_sum") + 1)
        ),
    }[op]
    return lambda: plan().collect(engine="streaming")


def _duckdb(op: str, left: pl.DataFrame, right: pl.DataFrame) -> Callable[[], pl.DataFrame]:
    import duckdb

    database = duckdb.connect()
    database.execute(f"SET threads = {pl.thread_pool_size()}")
    for name, df in (("l", left), ("r", right)):
        database.register(f"{name}_rows", df.to_arrow())
        database.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_rows")
    text = {
        "sort": "SELECT * FROM l ORDER BY key",
        "groupby": "SELECT key, sum(value) AS value_sum FROM l GROUP BY key",
        "join": "SELECT l.key, value, other FROM l JOIN r ON l.key = r.key",
        "pipeline": "SELECT l.key AS key, sum(value) + 1 AS value_sum, sum(other) + 1 AS other_sum "
        "FROM l JOIN r ON l.key = r.key GROUP BY l.key ORDER BY l.key",
    }[op]
    return lambda: database.execute(text).pl()


def _pandas(op: str, left: pl.DataFrame, right: pl.DataFrame) -> Callable[[], Any]:
    rows, others = left.to_pandas(), right.to_pandas()

    def sums(joined: Any) -> Any:
        return joined.groupby("key", sort=False, as_index=False).sum().rename(columns=SUMS)

    return {
        "sort": lambda: rows.sort_values("key"),
        "groupby": lambda: sums(rows),
        "join": lambda: rows.merge(others, on="key"),
        "pipeline": lambda: _one_more(sums(rows.merge(others, on="key")).sort_values("key")),
    }[op]


def _dask(op: str, left: pl.DataFrame, right: pl.DataFrame) -> Callable[[], Any]:
    import dask.dataframe as dd
    from dask.distributed import Client, LocalCluster, futures_of, wait

    workers = pl.thread_pool_size()
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    DaskUse.client = Client(cluster)
    atexit.register(cluster.close)
    atexit.register(DaskUse.client.close)
    parts = PARTITIONS * workers
    rows, others = (dd.from_pandas(df.to_pandas(), npartitions=parts).persist() for df in (left, right))
    wait([rows, others])
    turn = itertools.count()

    def again() -> Any:
        # What it still has it gives again without computing: each turn is to be another one.
        return rows.map_partitions(_the_same, next(turn), meta=rows._meta)

    def sums(joined: Any) -> Any:
        return joined.groupby("key").sum(split_out=parts).rename(columns=SUMS).reset_index()

    plan = {
        "sort": lambda: again().sort_values("key"),
        "groupby": lambda: sums(again()),
        "join": lambda: again().merge(others, on="key"),
        "pipeline": lambda: sums(again().merge(others, on="key")).sort_values("key").map_partitions(_one_more),
    }[op]

    def work() -> Any:
        made = plan().persist()
        wait(made)
        for future in futures_of(made):
            if future.status != "finished":
                raise future.exception()
        return made

    return work


def _the_same(rows: Any, turn: int) -> Any:
    return rows


def _one_more(rows: Any) -> Any:
    return rows.assign(**{name: rows[name] + 1 for name in SUMS.values()})


class DaskUse(ProcessUse):
    """The processor time and the memory of Dask's workers, and of this process, which plans for them."""

    client: Any = None

    def cpu_seconds(self) -> float:
        return super().cpu_seconds() + sum(self.client.run(time.process_time).values())

    def forget_peak(self) -> None:
        super().forget_peak()
        self.all_from_here = all(self.client.run(forget_peak).values())

    def peak_mb(self) -> float:
        return max(super().peak_mb(), *self.client.run(peak_mb, self.all_from_here).values())


ENGINES = {"polars": _polars, "duckdb": _duckdb, "pandas": _pandas, "dask": _dask}


def usage(engine: str) -> ProcessUse:
    """What tells the processor time and the memory of an engine that is started."""
    return DaskUse() if engine == "dask" else ProcessUse()


def rows(result: Any) -> pl.DataFrame:
    """The rows that a work has made, brought here."""
    if isinstance(result, pl.DataFrame):
        return result
    result = result.compute() if hasattr(result, "compute") else result
    return pl.from_pandas(result.reset_index(drop=True))
