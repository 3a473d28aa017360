"""Scans of what a web server and an S3 server give, both on loopback, on real ranks."""

from __future__ import annotations

import ast
from pathlib import Path

import polars as pl
import pytest

import file_servers

HERE = Path(__file__).parent
NAMES = [
    node.name
    for node in ast.parse((HERE / "remote_scenarios.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.args.args and not node.decorator_list
]


def make(folder: Path) -> None:
    rows = pl.DataFrame({"x": range(90_000)}).with_columns(y=pl.col("x") * 0.5, text=pl.format("{}", "x"))
    for name in ("parts", "hive/k=1", "hive/k=2", "odd", "whole", "closed"):
        (folder / name).mkdir(parents=True)
    for at, name in enumerate(("parts/a", "parts/b", "parts/c", "hive/k=1/0", "hive/k=2/0", "odd/a b+c", "odd/ü")):
        rows[at * 100 : at * 100 + 300].write_parquet(folder / f"{name}.parquet", row_group_size=100)
    for name in ("rows", "whole/rows", "closed/rows"):
        rows.write_parquet(folder / f"{name}.parquet", row_group_size=9_000)
        rows.write_csv(folder / f"{name}.csv")
    rows.write_ipc(folder / "rows.arrow", compression="uncompressed", record_batch_size=9_000)
    rows.with_columns(wide=pl.col("text").str.pad_start(60, "x")).write_parquet(
        folder / "pruned.parquet", row_group_size=3_000, compression="uncompressed"
    )


@pytest.fixture(scope="module")
def read(mpirun, tmp_path_factory) -> tuple[str, str, float]:
    """The scenarios that held, what was said, and what part of a file travelled of which little was wanted."""
    root = tmp_path_factory.mktemp("servers")
    make(root / "bucket")
    with file_servers.web(root / "bucket") as (address, sent), file_servers.s3(root) as environment:
        environment |= {"no_proxy": "127.0.0.1"}
        done = mpirun(3, [HERE / "remote_scenarios.py", root / "bucket", address], env=environment)
        part = sent["/pruned.parquet"] / (root / "bucket" / "pruned.parquet").stat().st_size
    return done.stdout, done.stderr, part


@pytest.mark.parametrize("name", NAMES)
def test_remote_files(read: tuple[str, str, float], name: str) -> None:
    assert name in read[0], f"held: {read[0]}\n{read[1]}"
    if name == "only_row_groups_that_are_asked_for_travel":
        assert 0 < read[2] < 0.2
