"""The 22 queries of PDS-H on real ranks, against the reference answers of DuckDB's tpch extension."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deeprc.bench.pdsh.answers import answers
from deeprc.bench.pdsh.data import make
from deeprc.bench.pdsh.queries import QUERIES
from deeprc.bench.pdsh.run import run
from deeprc.frames.topology import MADE_UP

HERE = Path(__file__).parent
SCALES = ("0.01", "0.1")
# How often each query at scale factor 0.1 waits for all ranks, by their number: once for each table, for the plan, for
# each exchange with the sizes that it tells, for the result, and to give it to all. On 4 ranks of two nodes, as it
# were, rows and what is told of them are two messages.
AGREEMENTS = {
    1: [1] * 22,
    2: [5, 9, 7, 6, 10, 5, 9, 11, 10, 8, 7, 6, 10, 6, 8, 8, 9, 7, 6, 11, 8, 5],
    4: [10, 16, 14, 12, 20, 10, 18, 22, 20, 16, 12, 12, 18, 12, 16, 17, 19, 14, 12, 24, 16, 9],
}
pytestmark = pytest.mark.requires("duckdb")


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pdsh")
    for scale in SCALES:
        make(folder / scale, float(scale))
    (folder / "answers.json").write_text(json.dumps({scale: answers(float(scale)) for scale in SCALES}))
    return folder


@pytest.fixture(scope="module", params=[1, 2, 4], ids=lambda ranks: f"{ranks}-ranks")
def told(request, mpirun, tables: Path) -> dict:
    environment = {MADE_UP: "2"} if request.param == 4 else {}  # on two nodes, as it were
    done = mpirun(request.param, [HERE / "pdsh.py", tables, tables / "answers.json"], timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("scale", SCALES)
def test_every_query_gives_the_reference_answer(told: dict, scale: str) -> None:
    assert told[scale] == {str(number): True for number in QUERIES}


def test_no_query_waits_for_the_other_ranks_more_often_than_it_must(told: dict, request) -> None:
    assert list(told["agreements"].values()) == AGREEMENTS[request.node.callspec.params["told"]]


def test_the_bench_tells_what_is_promised(tables: Path) -> None:
    figures = run(0.01, 2, query=6, data=tables / "0.01", repeats=2, against="polars::pruned")
    (row,) = figures["queries"]
    assert row["query"] == 6 and row["right"] is True and row["seconds"] > 0 and row["peak_mb"] > 50
    assert figures["engine"] == "arrow" and figures["ranks"] == 2 and figures["against"] == "polars:2:pruned"
    assert figures["geometric_mean"] == pytest.approx(row["seconds"])
    assert row["against"]["right"] is True and row["against"]["seconds"] > 0
    assert len(row["ratio"]["turns"]) == 2 and row["ratio"]["low"] <= row["ratio"]["median"] <= row["ratio"]["high"]
    assert figures["geometric_mean_ratio"] == pytest.approx(row["ratio"]["median"])
