"""Files that become other ones between a scan and its run; names of columns that the spilling has for itself."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from deeprc.core.errors import InputError
from deeprc.frames import Communicator, Frame, scan_arrow, scan_csv, scan_parquet
from deeprc.frames.lazy import changed
from deeprc.frames.lazy.ordering import NUMBER
from deeprc.frames.lazy.spilling import OF_BUCKET
from deeprc.frames.lazy.store import LEAST

ALONE = Communicator.alone()
BEFORE, AFTER = pl.DataFrame({"x": [1, 2, 3]}), pl.DataFrame({"x": [4, 5, 6]})
KINDS = {
    "csv": (scan_csv, pl.DataFrame.write_csv),
    "parquet": (scan_parquet, pl.DataFrame.write_parquet),
    "arrow": (scan_arrow, pl.DataFrame.write_ipc),
}


@pytest.mark.parametrize("memory", [None, LEAST])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_as_many_bytes_is_another_one(tmp_path: Path, kind: str, memory: int | None) -> None:
    scan, write = KINDS[kind]
    write(BEFORE, file := tmp_path / f"rows.{kind}")
    plan, size = scan(file, ALONE), file.stat().st_size
    assert plan.collect(memory=memory).to_polars().equals(BEFORE)
    write(AFTER, file)
    os.utime(file, ns=(1, 1))
    assert file.stat().st_size == size
    with pytest.raises(InputError) as told:
        plan.collect(memory=memory)
    assert str(told.value) == (
        f"{file}: the file has become another one since it was scanned\n  found: as many bytes, written anew\n"
        "  expected: the file that it was\n  fix: scan it again"
    )
    assert scan(file, ALONE).collect().to_polars().equals(AFTER)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_has_grown_is_another_one(tmp_path: Path, kind: str) -> None:
    scan, write = KINDS[kind]
    write(BEFORE, file := tmp_path / f"rows.{kind}")
    plan = scan(file, ALONE)
    write(pl.concat([BEFORE] * 2000), file)
    with pytest.raises(InputError, match=r"become another one.*\n  found: [\d,]+ bytes\n  expected: \d+ bytes"):
        plan.collect()


def test_of_another_node_a_file_s_size_is_compared_alone(tmp_path: Path) -> None:
    """A copy on each node's disk has a number and a time of its own."""
    (file := tmp_path / "rows").write_text("1234")
    here = changed.look(file)
    changed.check([file], [changed.Look(4, (0, 0), "another node")])
    for other in (changed.Look(4, (0, 0), here.host), changed.Look(5, here.mark, "another node")):
        with pytest.raises(InputError, match="become another one"):
            changed.check([file], [other])


@pytest.mark.parametrize("name", [NUMBER, OF_BUCKET, f"{OF_BUCKET}'"])
@pytest.mark.parametrize("value", [7, "text"])
def test_any_name_of_a_column_goes_by_way_of_the_disk(name: str, value: object) -> None:
    """Such a column was lost, or took the rows into wrong files."""
    rows = pl.DataFrame({name: [value] * 200_000, "x": range(200_000), "k": [1, 2, 3, 4] * 50_000})
    frame = Frame(rows, ALONE).lazy()
    for plan in (
        lambda rows: rows.sort("k", "x", descending=True),
        lambda rows: rows.group_by("x").agg(pl.col(name).first(), pl.col("k").median()).sort("x"),
        lambda rows: rows.unique(["x"], maintain_order=True),
    ):
        assert plan(frame).collect(memory=LEAST).to_polars().equals(plan(rows.lazy()).collect())


def test_a_group_key_that_is_made_does_not_take_a_column_s_name() -> None:
    """It did, which was an error of Polars' own."""
    rows = pl.DataFrame({"key 0": range(200_000), "x": range(200_000)})
    groups = (
        rows.lazy().group_by(pl.col("x") % 2).agg(pl.col("key 0").median()).sort("x")
        for rows in (Frame(rows, ALONE), rows)
    )
    ours, theirs = groups
    assert ours.collect(memory=LEAST).to_polars().equals(theirs.collect())


def test_folders_of_csv_files_are_columns(tmp_path: Path) -> None:
    """They were left out."""
    for day, site in (("2024-01-01", "a b"), ("2024-01-02", "ü"), ("2024-01-02", "__HIVE_DEFAULT_PARTITION__")):
        (folder := tmp_path / f"day={day}" / f"site={site}").mkdir(parents=True)
        pl.DataFrame({"x": [1, 2]}).write_csv(folder / "rows.csv")
    plan = scan_csv(tmp_path, ALONE)
    assert plan.schema == {"x": pl.Int64, "day": pl.Date, "site": pl.String}
    for memory in (None, LEAST):
        rows = plan.collect(memory=memory).to_polars()
        assert rows["x"].to_list() == [1, 2] * 3 and rows["site"].to_list() == ["a b", "a b", None, None, "ü", "ü"]
        assert rows["day"].cast(pl.String).to_list() == ["2024-01-01"] * 2 + ["2024-01-02"] * 4
    kept = plan.filter(pl.col("site") == "ü", pl.col("x") > 1)
    assert "(1 files)" in kept.explain() and kept.collect().to_polars()["x"].to_list() == [2]
    assert plan.filter(pl.col("site") == "none").select("site").collect().rows() == 0
    pl.DataFrame({"site": [1]}).write_csv(tmp_path / "day=2024-01-01" / "site=a b" / "rows.csv")
    for name in ("day=2024-01-02/site=ü", "day=2024-01-02/site=__HIVE_DEFAULT_PARTITION__"):
        pl.DataFrame({"site": [1]}).write_csv(tmp_path / name / "rows.csv")
    with pytest.raises(InputError, match="column 'site' stands in the files and in the names of their folders"):
        scan_csv(tmp_path, ALONE)
