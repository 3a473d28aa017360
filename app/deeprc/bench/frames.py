"""How fast the frames are: one operation on random rows, on a number of ranks of this machine."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from deeprc.bench.machine import describe
from deeprc.bench.start import started
from deeprc.core.errors import unknown
from deeprc.frames import Communicator, Frame

ENGINES = ("arrow",)
OPERATIONS = ("join", "sort", "groupby", "pipeline")
REPEATS = 3
ARGSORT_ROWS = 50_000_000  # up to here the unit of the time is measured, too


def numbers(start: int, stop: int, seed: int) -> np.ndarray:
    """Random uint64 of the rows `start` to `stop`: the same on any number of ranks (splitmix64)."""
    state = np.arange(start + 1, stop + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state += np.uint64(seed << 40)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def table(rows: int, keys: int, seed: int, comm: Communicator, value: str = "value") -> Frame:
    """This rank's share of `rows` rows: an int64 `key`, uniform in [0, keys), and a float64 value.

    The values are whole numbers below 2^20, so that sums, hence checksums, are the same in any order.
    """
    start, stop = rows * comm.rank // comm.size, rows * (comm.rank + 1) // comm.size
    key = (numbers(start, stop, seed) % np.uint64(keys)).astype(np.int64)
    values = (numbers(start, stop, seed + 1) >> np.uint64(44)).astype(np.float64)
    return Frame(pl.DataFrame({"key": key, value: values}), comm)


def operation(op: str, rows: int, comm: Communicator) -> Callable[[], Frame]:
    """What is timed; its tables are made here.

    join: two tables with keys in [0, rows); sort: one such table; groupby: sums of rows/10 keys; pipeline: join,
    groupby, sort, and one added to every value, as in Cylon's comparison (Perera et al., arXiv:2301.07896).
    """
    left = table(rows, max(1, rows // 10 if op == "groupby" else rows), 1, comm)
    if op == "sort":
        return lambda: left.sort("key")
    if op == "groupby":
        return lambda: left.groupby("key").agg({"value": "sum"})
    right = table(rows, max(1, rows), 3, comm, "other")
    if op == "join":
        return lambda: left.join(right, on="key")
    if op == "pipeline":
        return lambda: (
            left.join(right, on="key")
            .groupby("key")
            .agg({"value": "sum", "other": "sum"})
            .sort("key")
            .with_columns(pl.col("value_sum", "other_sum") + 1)
        )
    raise unknown("operation", op, OPERATIONS)


def checksum(frame: Frame) -> int:
    """A number that depends on all values, but neither on the order of the rows nor on the number of ranks."""
    local = frame.to_polars().cast(pl.Int64)
    key = local["key"].to_numpy().view(np.uint64)
    total = key.sum(dtype=np.uint64)
    for index, name in enumerate(sorted(set(local.columns) - {"key"})):
        values = local[name].to_numpy().view(np.uint64)
        # Multiplied by a number that the key and the column give, so that values cannot change places unnoticed.
        factor = (key + np.uint64(index + 1)) * np.uint64(0x9E3779B97F4A7C15) | np.uint64(1)
        total += (values * factor).sum(dtype=np.uint64)
    return sum(frame.comm.allgather(int(total))) % 2**64


def bench_frames(rows: int, op: str, communicator: Communicator, repeats: int = REPEATS) -> dict:
    """Time one operation; every rank calls it and gets the same result.

    Parameters
    ----------
    rows
        Rows of each table on all ranks together.
    op
        join, sort, groupby or pipeline.

    Returns
    -------
    `seconds`: the median of the repeats, each from a barrier until the slowest rank is done; `cpu_seconds`: of all
    ranks together; `output_rows`; `checksum`.
    """
    work = operation(op, rows, communicator)
    seconds, cpu = [], []
    for _ in range(repeats + 1):
        result = None  # the memory of the last one is free before the next
        communicator.barrier()
        start, start_cpu = time.perf_counter(), time.process_time()
        result = work()
        spent = time.perf_counter() - start, time.process_time() - start_cpu
        seconds.append(communicator.allreduce(spent[0], "max"))
        cpu.append(communicator.allreduce(spent[1]))
    # The first one pays for connections and first touches of memory.
    return {
        "seconds": statistics.median(seconds[1:]),
        "cpu_seconds": statistics.median(cpu[1:]),
        "output_rows": result.rows(),
        "checksum": f"{checksum(result):016x}",
    }


def run(rows: int, ranks: int, op: str, engine: str = "arrow") -> dict:
    """Start the ranks on this machine and measure; see `bench_frames`.

    Returns
    -------
    What `bench_frames` returns, with `engine`, `op`, `rows`, `ranks`, `repeats`, `rows_per_second` (of each table),
    `argsort_seconds` (a stable numpy argsort of as many int64 keys: a unit that makes machines comparable; null above
    50 million rows) and `machine` (see `describe`).

    Raises
    ------
    ConfigError
        For an unknown engine or operation.
    DeepRCError
        When the ranks fail.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if op not in OPERATIONS:
        raise unknown("operation", op, OPERATIONS)
    measured = started(ranks, "deeprc.bench.frames", [rows, op])
    return {
        "engine": engine,
        "op": op,
        "rows": rows,
        "ranks": ranks,
        "repeats": REPEATS,
        "rows_per_second": round(rows / measured["seconds"]),
        **measured,
        "argsort_seconds": _argsort_seconds(rows),
        "machine": describe(("deeprc", "polars", "pyarrow", "numpy", "mpi4py", "mpich")),
    }


def _argsort_seconds(rows: int) -> float | None:
    if rows > ARGSORT_ROWS:
        return None
    keys = (numbers(0, rows, 1) % np.uint64(max(1, rows))).astype(np.int64)
    start = time.perf_counter()
    np.argsort(keys, kind="stable")
    return time.perf_counter() - start


if __name__ == "__main__":
    world = Communicator.world()
    figures = bench_frames(int(sys.argv[1]), sys.argv[2], world)
    if world.rank == 0:
        print(json.dumps(figures))
