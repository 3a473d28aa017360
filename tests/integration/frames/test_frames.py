"""Frames on real MPI ranks: properties against Polars, and what must hold when something is wrong."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import profiles
from deeprc.bench.frames import run
from deeprc.frames.topology import MADE_UP

HERE = Path(__file__).parent
# By their number ranks are taken for those of one node, of two (two and one), or of four: all ways of the exchange.
NODES = {1: {}, 2: {}, 3: {MADE_UP: "2"}, 4: {MADE_UP: "1"}}
TIMEOUT = 480  # seconds; only ranks that wait for each other in vain take so long


def functions(file: str, decorator: str | None = None) -> list[str]:
    """The names of a file's test functions, without importing it: that would start MPI here."""
    found = [node for node in ast.parse((HERE / file).read_text()).body if isinstance(node, ast.FunctionDef)]
    return [
        node.name
        for node in found
        if (any(ast.unparse(d).startswith(decorator) for d in node.decorator_list) if decorator else not node.args.args)
    ]


PROPERTIES = functions("properties.py", "holds")
FILES = [f"{part}scenarios.py" for part in ("", "failing_", "file_", "grouped_", "lazy_", "meaning_", "tensor_")]
SCENARIOS = [name for file in FILES for name in functions(file) if name != "main"]


@pytest.fixture(scope="module", params=[1, 2, 3, 4], ids=lambda ranks: f"{ranks}-ranks")
def verdicts(request, mpirun, tmp_path_factory) -> dict[str, str | None]:
    results = tmp_path_factory.mktemp("properties") / "results.json"
    ranks, nodes = request.param, NODES[request.param]
    try:
        done = mpirun(ranks, [HERE / "properties.py", results, profiles.current()], timeout=TIMEOUT, env=nodes)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the ranks did not come back from {results.with_suffix('.last').read_text()}")
    if done.returncode:
        pytest.fail(f"{results.with_suffix('.last').read_text()}\n{done.stdout}\n{done.stderr}")
    return json.loads(results.read_text())


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(verdicts: dict[str, str | None], name: str) -> None:
    if verdicts[name] is not None:
        pytest.fail(verdicts[name], pytrace=False)


@pytest.fixture(scope="module")
def held(mpirun, tmp_path_factory) -> tuple[list[str], str]:
    folder = tmp_path_factory.mktemp("scenarios")
    try:
        done = mpirun(3, [HERE / "scenarios.py", folder], timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode().split(), "the ranks did not come back"
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(held: tuple[list[str], str], name: str) -> None:
    names, errors = held
    if name not in names:
        pytest.fail(f"held: {names}\n{errors}", pytrace=False)


def test_a_key_of_nine_tenths_of_the_rows_is_on_all_ranks(mpirun) -> None:
    done = mpirun(4, [HERE / "heavy_keys.py"])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", [7, 0])
def test_a_rank_that_dies_leaves_no_folder(mpirun, tmp_path: Path, code: int) -> None:
    program = """
import os, sys, polars as pl
from deeprc.frames import Communicator, Frame
from deeprc.frames.io import _whole_folder
comm = Communicator.world()
with _whole_folder(__import__("pathlib").Path(sys.argv[1]), comm) as folder:
    (folder / f"part-{comm.rank}").write_text("rows")
    if comm.rank == 1:
        os._exit(int(sys.argv[2]))
"""
    done = mpirun(2, ["-c", program, tmp_path / "table.arrow", code], timeout=60)
    assert done.returncode != 0
    if code == 0:  # Hydra takes it for a good end
        assert "error: rank 1 of 2 left by os._exit(0) amid the work: all ranks end" in done.stderr
    assert not (tmp_path / "table.arrow").exists()


@pytest.mark.parametrize("operation", ["join", "sort", "groupby", "spilling"])
def test_a_rank_that_is_killed_is_named_and_ends_all(mpirun, tmp_path: Path, operation: str) -> None:
    done = mpirun(3, [HERE / "killed.py", operation], timeout=60, env={"TMPDIR": str(tmp_path)})
    ended = time.monotonic()
    process, since, *shared = re.search(r"killed (.*)", done.stdout)[1].split()
    assert ended - float(since) < 10
    assert done.returncode == 9, done.stderr
    said = f"error: rank 1 of 3 was killed (SIGKILL, process {process} on {socket.gethostname()}): all ranks end\n"
    assert done.stderr.count("all ranks end") == done.stderr.count(said) == 1, done.stderr
    # Whoever has seen that goes on, for a moment, to remove what the ranks cannot any more.
    deadline = time.monotonic() + 30
    while [*tmp_path.glob("deeprc-rows-*/*"), *filter(os.path.exists, shared)] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [*tmp_path.glob("deeprc-rows-*/*"), *filter(os.path.exists, shared)] == []


def test_results_do_not_depend_on_the_number_of_ranks() -> None:
    figures = run(20_000, 3, "pipeline", against="arrow:1", repeats=1)  # raises an error where both differ
    assert figures["output_rows"] == figures["against"]["output_rows"] > 5000
    assert figures["checksum"] == figures["against"]["checksum"]


@pytest.mark.requires("duckdb")
def test_text_keys_and_other_engines_have_the_same_result() -> None:
    assert run(20_000, 2, "pipeline", "arrow:2:text", "duckdb", 1)["ranks"] == 2
    assert run(20_000, 2, "groupby", "polars", "duckdb::text", 1)["against"]["keys"] == "text"


@pytest.mark.parametrize("op", ["join", "sort", "groupby"])
def test_bench_measures_what_polars_computes(op: str) -> None:
    rows = 20_000
    figures = run(rows, 2, op, repeats=1)
    assert figures["rows_per_second"] == round(rows / figures["seconds"]) > 0 and figures["cpu_seconds"] > 0
    assert figures["peak_mb"] > 50
    program = f"""
import polars as pl
from deeprc.bench.operations import checksum, summed, tables
from deeprc.frames import Communicator
left, right = tables({op!r}, {rows}, Communicator.world(), "int")
expected = dict(
    join=lambda: left.join(right, on="key"),
    sort=lambda: left,
    groupby=lambda: left.group_by("key").agg(pl.col("value").sum().alias("value_sum")),
)[{op!r}]()
assert {figures["output_rows"]} == expected.height, expected.height
assert {figures["checksum"]!r} == summed([checksum(expected)])
assert {figures["checksum"]!r} != summed([checksum(expected.with_columns(pl.last().shift(1, fill_value=0.0)))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("ending", "said", "code"),
    [
        ("raise ValueError('mine alone')", "ValueError: mine alone\nrank 1 of 2 ends all ranks", 1),
        ("raise KeyboardInterrupt", "KeyboardInterrupt\nrank 1 of 2 ends all ranks", 130),
        ("sys.exit(0)", "found: the end of its program", 1),
    ],
)
def test_a_program_that_ends_on_one_rank_ends_on_all(mpirun, ending: str, said: str, code: int) -> None:
    program = f"""
import sys, polars as pl
from deeprc.frames import Communicator, Frame
comm = Communicator.world()
frame = Frame(pl.DataFrame({{"key": [comm.rank]}}), comm)
if comm.rank == 1:
    {ending}
frame.rows()
"""
    done = mpirun(2, ["-c", program], timeout=60)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
