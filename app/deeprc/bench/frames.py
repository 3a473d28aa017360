"""How fast the frames are: operations on random rows, on ranks of this machine, alone or beside another engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from deeprc.bench import others
from deeprc.bench.contest import OURS, Entrant, Team, entrant, load, medians, ratios, teams, turns
from deeprc.bench.machine import describe
from deeprc.bench.operations import KEYS, OPERATIONS, numbers, summed
from deeprc.core.errors import DeepRCError, unknown

ENGINES = (*OURS, *others.ENGINES)
REPEATS = 3
ARGSORT_ROWS = 50_000_000  # up to here the unit of the time is measured, too
VERSIONS = ("deeprc", "polars", "duckdb", "pandas", "dask", "pyarrow", "numpy", "mpi4py", "mpich")


def run(
    rows: int, ranks: int, op: str, engine: str = "arrow", against: str | None = None, repeats: int = REPEATS
) -> dict:
    """Start the ranks on this machine and measure.

    Parameters
    ----------
    rows
        Rows of each table on all ranks together.
    op
        join, sort, groupby or pipeline.
    engine, against
        `ENGINE[:RANKS[:KEYS]]` (see `contest.entrant`); `against` is measured in turns with the first.
    repeats
        How often each is measured, after once for warming up.

    Returns
    -------
    `engine`, `op`, `rows`, `ranks`, `keys`, `repeats`; `seconds`, the median of the repeats, each from a barrier until
    the slowest rank is done; `cpu_seconds` of all ranks together, their median; `peak_mb`, the most memory that a rank
    held; `output_rows`; `checksum`; `rows_per_second` (of each table); `argsort_seconds` (a stable numpy argsort of as
    many int64 keys: a unit that makes machines comparable; null above 50 million rows) and `machine` (see `describe`).
    With `against` also that entrant's figures, and `ratio` and `cpu_ratio` (see `contest.ratios`).

    Raises
    ------
    ConfigError
        For an unknown engine, kind of keys or operation, and an engine that is not installed.
    DeepRCError
        When the ranks fail, or the two do not have the same checksum.
    """
    who = [entrant(text, ranks, ENGINES, KEYS) for text in (engine, against) if text is not None]
    if op not in OPERATIONS:
        raise unknown("operation", op, OPERATIONS)
    with teams(who, "deeprc.bench.operations", [op, rows]) as started:
        rounds = turns(started, [op], repeats)[op]
        results = [_result(team) for team in started]
    told = [_told(one, [each[i] for each in rounds], results[i], rows) for i, one in enumerate(who)]
    if results[1:] and results[0] != results[1]:
        raise DeepRCError(
            f"{who[0].name} and {who[1].name} do not have the same result", found=results[0], expected=results[1]
        )
    compared: dict[str, Any] = {}
    if against is not None:
        compared = {"against": told[1], "ratio": ratios(rounds), "cpu_ratio": ratios(rounds, "cpu_seconds")}
    return {
        "op": op,
        "rows": rows,
        "repeats": repeats,
        **told[0],
        **compared,
        "argsort_seconds": _argsort_seconds(rows),
        "load": load(),
        "machine": describe(VERSIONS),
    }


def _result(team: Team) -> dict:
    each = team.result()
    return {"output_rows": sum(rows for rows, _ in each), "checksum": summed([total for _, total in each])}


def _told(who: Entrant, took: Sequence[dict], result: dict, rows: int) -> dict:
    figures = medians(took)
    return {
        "engine": who.engine,
        "ranks": who.ranks,
        "keys": who.keys,
        **figures,
        **result,
        "rows_per_second": round(rows / figures["seconds"]),
    }


def _argsort_seconds(rows: int) -> float | None:
    if rows > ARGSORT_ROWS:
        return None
    keys = (numbers(0, rows, 1) % np.uint64(max(1, rows))).astype(np.int64)
    start = time.perf_counter()
    np.argsort(keys, kind="stable")
    return time.perf_counter() - start
