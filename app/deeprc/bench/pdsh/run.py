"""`deeprc bench pdsh`: the 22 queries against reference answers, on ranks of this machine."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from deeprc.bench.contest import entrant, load, ratios, teams, turns
from deeprc.bench.machine import describe
from deeprc.bench.pdsh.answers import SCALES, answers, difference
from deeprc.bench.pdsh.data import make
from deeprc.bench.pdsh.engines import COLUMNS, ENGINES
from deeprc.bench.pdsh.measure import Answers, as_text, row
from deeprc.bench.pdsh.queries import QUERIES
from deeprc.core.errors import ConfigError

REPEATS = 3
VERSIONS = ("deeprc", "polars", "duckdb", "pyarrow", "mpi4py", "mpich")


def run(
    scale: float,
    ranks: int,
    query: int | None = None,
    engine: str = "arrow",
    data: Path | None = None,
    repeats: int = REPEATS,
    against: str | None = None,
) -> dict:
    """Make the tables, start the ranks, and measure.

    Parameters
    ----------
    scale
        The scale factor: gigabytes of text in all.
    ranks
        MPI ranks of one thread each; for engines that know no ranks, threads.
    query
        The one query to run; all where it is None.
    engine, against
        `ENGINE[:RANKS[:COLUMNS]]` (see `contest.entrant`); `against` is measured in turns with the first. `pruned`
        as COLUMNS: tables of the columns that the query names, chosen by hand as it were.
    data
        A folder for the tables of this scale factor, to be kept; made when it is not there.
    repeats
        How often each query is measured, after once for warming up.

    Returns
    -------
    `queries` (see `measure.row`), `engine`, `scale`, `ranks`, `repeats`, `machine`, and `geometric_mean` of the
    seconds. With `against`, each query has that entrant's row and the `ratio` (see `contest.ratios`), and is wrong,
    too, where both differ; `against` names it, and `geometric_mean_ratio` is that of the queries' median ratios.

    Raises
    ------
    ConfigError
        For an unknown engine or query.
    """
    who = [entrant(text, ranks, ENGINES, COLUMNS) for text in (engine, against) if text is not None]
    if any(each.engine == "duckdb" and each.keys != COLUMNS[0] for each in who):
        raise ConfigError("duckdb is given SQL, which names no columns to read", found="duckdb::pruned")
    if query is not None and query not in QUERIES:
        raise ConfigError(f"there is no query {query}", found=query, expected="1 to 22")
    known = answers(scale) if scale in SCALES else {}
    queries: list[dict] = []
    with tempfile.TemporaryDirectory(prefix="deeprc-pdsh-") as temporary:
        folder = data or Path(temporary, "tables")
        make(folder, scale)
        with teams(who, "deeprc.bench.pdsh.measure", [folder]) as started:
            for number in [query] if query is not None else QUERIES:
                rounds = turns(started, [number], repeats)[number]
                queries.append(_compared(number, rounds, [team.result()[0] for team in started], known))
    compared: dict[str, Any] = {}
    if against is not None:
        each = statistics.geometric_mean(row["ratio"]["median"] for row in queries)
        compared = {"against": who[1].name, "geometric_mean_ratio": each}
    return {
        "queries": queries,
        "engine": who[0].engine,
        "scale": scale,
        "ranks": who[0].ranks,
        "repeats": repeats,
        "geometric_mean": statistics.geometric_mean(row["seconds"] for row in queries),
        **compared,
        "load": load(),
        "machine": describe(VERSIONS),
    }


def _compared(number: int, rounds: Sequence[Sequence[dict]], found: Sequence[pl.DataFrame], known: Answers) -> dict:
    told, *other = (row(number, [each[i] for each in rounds], one, known) for i, one in enumerate(found))
    if not other:
        return told
    theirs = difference(found[0], as_text(found[1]))
    if theirs is not None and told["right"] is not False:
        told |= {"right": False, "difference": f"beside the other engine's answer: {theirs}"}
    return {**told, "against": other[0], "ratio": ratios(rounds)}
