"""What `deeprc bench frames` times: an operation on random rows, by each engine; run by its processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from deeprc.bench import others
from deeprc.bench.contest import OURS, serve
from deeprc.frames import Communicator, Frame
from deeprc.frames.engine import ENGINE

OPERATIONS = ("join", "sort", "groupby", "pipeline")
KEYS = ("int", "text")
TEXT = "id"  # before the number, which has ten digits, in a key of text


def numbers(start: int, stop: int, seed: int) -> np.ndarray:
    """Random uint64 of the rows `start` to `stop`: the same on any number of ranks (splitmix64)."""
    state = np.arange(start + 1, stop + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state += np.uint64(seed << 40)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def table(rows: int, keys: int, seed: int, comm: Communicator, value: str = "value", kind: str = "int") -> pl.DataFrame:
    """This rank's share of `rows` rows: a `key`, uniform in [0, keys), int64 or text, and a float64 value.

    The values are whole numbers below 2^20, so that sums, hence checksums, are the same in any order.
    """
    start, stop = rows * comm.rank // comm.size, rows * (comm.rank + 1) // comm.size
    key = pl.Series((numbers(start, stop, seed) % np.uint64(keys)).astype(np.int64))
    values = (numbers(start, stop, seed + 1) >> np.uint64(44)).astype(np.float64)
    df = pl.DataFrame({"key": key, value: values})
    text = pl.lit(TEXT) + pl.col("key").cast(pl.String).str.zfill(10)
    return df if kind == "int" else df.with_columns(text.alias("key"))


def tables(op: str, rows: int, comm: Communicator, kind: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """join, pipeline: two tables with keys in [0, rows); sort: one of them; groupby: one of rows/10 keys."""
    left = table(rows, max(1, rows // 10 if op == "groupby" else rows), 1, comm, kind=kind)
    two = op in ("join", "pipeline")
    return left, table(rows, max(1, rows), 3, comm, "other", kind) if two else left.clear()


def operation(engine: str, op: str, left: pl.DataFrame, right: pl.DataFrame, comm: Communicator) -> Callable[[], Any]:
    """What is timed: it gives this rank's rows, or where they are (see `others.rows`).

    groupby: sums; pipeline: join, groupby, sort, and one added to every value, as in Cylon's comparison (Perera et al.,
    arXiv:2301.07896).
    """
    if engine not in OURS:
        return others.ENGINES[engine](op, left, right)
    os.environ[ENGINE] = engine
    return _ours(op, left, right, comm)


def _ours(op: str, left: pl.DataFrame, right: pl.DataFrame, comm: Communicator) -> Callable[[], pl.DataFrame]:
    ours, theirs = Frame(left, comm), Frame(right, comm)
    work = {
        "sort": lambda: ours.sort("key"),
        "groupby": lambda: ours.groupby("key").agg({"value": "sum"}),
        "join": lambda: ours.join(theirs, on="key"),
        "pipeline": lambda: (
            ours.join(theirs, on="key")
            .groupby("key")
            .agg({"value": "sum", "other": "sum"})
            .sort("key")
            .with_columns(pl.col("value_sum", "other_sum") + 1)
        ),
    }[op]
    return lambda: work().to_polars()


def checksum(df: pl.DataFrame) -> int:
    """A number that depends on all values, but not on the order of the rows; those of several ranks can be added."""
    if df.schema["key"] == pl.String:
        df = df.with_columns(pl.col("key").str.strip_prefix(TEXT))
    local = df.cast(pl.Int64)
    key = local["key"].to_numpy().view(np.uint64)
    total = key.sum(dtype=np.uint64)
    for index, name in enumerate(sorted(set(local.columns) - {"key"})):
        values = local[name].to_numpy().view(np.uint64)
        # Multiplied by a number that the key and the column give, so that values cannot change places unnoticed.
        factor = (key + np.uint64(index + 1)) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
        total += (values * factor).sum(dtype=np.uint64)
    return int(total)


def told(result: Any) -> tuple[int, int]:
    """How many rows a rank has made, and their checksum."""
    df = others.rows(result)
    return df.height, checksum(df)


def summed(checksums: list[int]) -> str:
    """The checksum of all ranks."""
    return f"{sum(checksums) % 2**64:016x}"


if __name__ == "__main__":
    address, engine, kind, op, rows = sys.argv[1:]
    world = Communicator.world()
    work = operation(engine, op, *tables(op, int(rows), world, kind), world)
    serve(address, world, lambda task: work(), told, others.usage(engine))
