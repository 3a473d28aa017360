"""Other engines compute what ours are compared with; one that is not there is refused by name."""

from __future__ import annotations

import pytest

from deeprc.bench import contest, frames, others
from deeprc.bench.operations import OPERATIONS, operation, tables, told
from deeprc.bench.pdsh import run as pdsh
from deeprc.bench.pdsh.queries import read_by
from deeprc.core.errors import ConfigError
from deeprc.frames import Communicator


@pytest.mark.parametrize("op", OPERATIONS)
@pytest.mark.parametrize("engine", ["polars", "pandas", "duckdb", "arrow"])
def test_every_engine_makes_the_same_rows(engine: str, op: str, request: pytest.FixtureRequest, monkeypatch) -> None:
    monkeypatch.setenv("DEEPRC_FRAMES_ENGINE", "arrow")
    package = contest.NEEDED.get(engine, ("polars",))[0]
    pytest.importorskip(package)
    alone = Communicator.alone()
    for kind in ("int", "text"):
        left, right = tables(op, 3000, alone, kind)
        expected = told(operation("polars", op, left, right, alone)())
        assert told(operation(engine, op, left, right, alone)()) == expected and expected[0] > 200


def test_dask_makes_the_same_rows_each_time_anew() -> None:
    pytest.importorskip("distributed")
    alone = Communicator.alone()
    left, right = tables("pipeline", 3000, alone, "int")
    work = operation("dask", "pipeline", left, right, alone)
    results = [work() for _ in range(2)]
    assert told(results[0]) == told(results[1]) == told(operation("polars", "pipeline", left, right, alone)())
    assert results[0].__dask_tokenize__() != results[1].__dask_tokenize__()
    usage = others.usage("dask")
    usage.forget_peak()
    assert usage.cpu_seconds() > 0 and usage.peak_mb() > 20


def test_an_engine_that_is_not_installed_is_refused_by_name(monkeypatch) -> None:
    monkeypatch.setitem(contest.NEEDED, "cylon", ("pycylon_of_nobody", "run where Cylon is"))
    with pytest.raises(ConfigError, match="engine cylon is not installed here\n  found: no package pycylon_of_nobody"):
        frames.run(1000, 2, "join", "arrow", "cylon")


def test_columns_are_pruned_by_hand_for_whom_it_means_something() -> None:
    assert contest.entrant("arrow:2:pruned", 1, ("arrow",), ("all", "pruned")).name == "arrow:2:pruned"
    assert contest.entrant("arrow", 1, ("arrow",), ("all", "pruned")).name == "arrow:1"
    assert {"l_quantity", "l_discount", "l_extendedprice"} < read_by(6) and "l_comment" not in read_by(6)
    assert {"l_discount", "n_name"} < read_by(5)  # of an expression that queries share
    with pytest.raises(ConfigError, match="duckdb is given SQL"):
        pdsh.run(0.01, 2, engine="duckdb::pruned")
