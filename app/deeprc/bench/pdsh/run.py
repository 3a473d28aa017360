"""`deeprc bench pdsh`: the 22 queries against reference answers, on ranks of this machine."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from deeprc.bench.machine import describe
from deeprc.bench.pdsh.answers import SCALES, answers
from deeprc.bench.pdsh.data import make
from deeprc.bench.pdsh.engines import ENGINES
from deeprc.bench.pdsh.queries import QUERIES
from deeprc.bench.start import started
from deeprc.core.errors import ConfigError, unknown

REPEATS = 3
VERSIONS = ("deeprc", "polars", "duckdb", "pyarrow", "mpi4py", "mpich")


def run(
    scale: float,
    ranks: int,
    query: int | None = None,
    engine: str = "arrow",
    data: Path | None = None,
    repeats: int = REPEATS,
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
    data
        A folder for the tables of this scale factor, to be kept; made when it is not there.

    Returns
    -------
    `queries` (see `measure.measure`), `engine`, `scale`, `ranks`, `repeats`, `machine`, and `geometric_mean` of the
    seconds.

    Raises
    ------
    ConfigError
        For an unknown engine or query.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if query is not None and query not in QUERIES:
        raise ConfigError(f"there is no query {query}", found=query, expected="1 to 22")
    numbers = [query] if query is not None else list(QUERIES)
    with tempfile.TemporaryDirectory(prefix="deeprc-pdsh-") as temporary:
        folder = data or Path(temporary, "tables")
        make(folder, scale)
        task = Path(temporary, "task.json")
        known = answers(scale) if scale in SCALES else {}
        given = {"engine": engine, "folder": str(folder), "queries": numbers, "answers": known, "repeats": repeats}
        task.write_text(json.dumps(given))
        count, threads = (ranks, 1) if engine == "arrow" else (1, ranks)
        rows = started(count, "deeprc.bench.pdsh.measure", [task], threads)
    return {
        "queries": rows,
        "engine": engine,
        "scale": scale,
        "ranks": ranks,
        "repeats": repeats,
        "geometric_mean": statistics.geometric_mean(row["seconds"] for row in rows),
        "machine": describe(VERSIONS),
    }
