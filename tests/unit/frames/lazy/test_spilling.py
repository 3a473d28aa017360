"""Rows that memory has no room for, on one rank: they come in parts, and nobody may see that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deeprc.core.errors import InputError
from deeprc.frames import Communicator, Frame, LazyFrame, scan_parquet
from deeprc.frames.lazy.store import LEAST

ROWS = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made, random = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    key = 2 * random.permutation(ROWS)  # half of them are in the other table
    pl.DataFrame({"key": key, "group": key % 100, "a": np.arange(ROWS)}).write_parquet(made / "many.parquet")
    pl.DataFrame({"key": random.permutation(ROWS), "b": np.arange(ROWS)}).write_parquet(made / "other.parquet")
    return made


def tables(folder: Path) -> tuple[LazyFrame, LazyFrame]:
    many, other = (scan_parquet(folder / f"{name}.parquet", Communicator.world()) for name in ("many", "other"))
    return many, other


SUM = pl.col("a").sum().alias("sum")
AFTER_A_JOIN = {
    "sums": lambda rows: rows.select(SUM, pl.len()),
    "groups": lambda rows: rows.group_by("group").agg(SUM, pl.len()),
    "medians": lambda rows: rows.group_by("group").agg(pl.col("a").median()),
    "windows": lambda rows: rows.select("key", pl.col("a").max().over("group")),
    "a join by another key": lambda rows: rows.join(rows.select("a", c="b"), on="a").select(pl.len()),
}


@pytest.mark.parametrize("how", ["inner", "right"])
@pytest.mark.parametrize("after", AFTER_A_JOIN)
def test_what_is_made_of_joined_rows_sees_all_of_them(folder: Path, how: str, after: str) -> None:
    """Not those of each part alone, as a join leaves them: 16 sums instead of one."""
    many, other = tables(folder)
    found, expected = (
        AFTER_A_JOIN[after](many.join(other, on="key", how=how)).collect(memory=memory) for memory in (LEAST, None)
    )
    columns = found.to_polars().columns
    assert found.to_polars().sort(columns).equals(expected.to_polars().sort(columns))


def test_few_rows_come_to_one_rank_though_many_were_expected(folder: Path) -> None:
    many, _ = tables(folder)
    none = many.join(many.select(pl.col("key") + 1), on="key").with_columns(
        pl.col("a").alias(f"a{n}") for n in range(9)
    )
    assert none.shift(1).collect(memory=LEAST).to_polars().is_empty()


def test_rows_of_a_frame_go_into_as_many_files_as_their_size_demands() -> None:
    rows = pl.DataFrame({"key": range(4 * ROWS), "a": range(4 * ROWS)})
    groups = Frame(rows, Communicator.world()).lazy().group_by("key").agg(SUM)
    assert groups.collect(memory=LEAST).rows() == 4 * ROWS
    assert "EXCHANGE by key, 8 files" in groups.explain(measured=True)  # of at most a MiB


@pytest.mark.parametrize("by", [["nothing"], ["nothing", "group"]])
def test_a_sort_by_a_column_of_nulls_alone(folder: Path, by: list[str]) -> None:
    """Its type is that of nulls, in which Polars finds no place for a value."""
    rows = tables(folder)[0].with_columns(pl.lit(None).alias("nothing"), text=pl.lit("x" * 60))
    found, expected = (rows.sort(by, descending=True, maintain_order=True).collect(memory=m) for m in (LEAST, None))
    assert found.to_polars().equals(expected.to_polars())


def test_less_than_the_documents_say_is_refused(folder: Path) -> None:
    least, page = f"{LEAST // 2**20} MiB", Path(__file__).parents[4] / "docs" / "frames.md"
    assert f"Less than {least} <!-- given: a setting --> is refused" in page.read_text(encoding="utf-8")
    many, _ = tables(folder)
    assert many.collect(memory=least).rows() == ROWS
    with pytest.raises(InputError, match=f"found: '7.99 MiB'\n  expected: bytes, or a text .*; at least {least}"):
        many.collect(memory="7.99 MiB")
