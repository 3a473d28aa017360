"""Folders `name=value`: what a sink has written is read back as it was, and what others wrote as Polars reads it."""

from __future__ import annotations

import datetime
from pathlib import Path

import polars as pl
import pytest

from deeprc.core.errors import InputError
from deeprc.frames import Communicator, Frame, LazyFrame, scan_parquet

ALONE = Communicator.alone()
WRITTEN = {
    "text like numbers": pl.Series(["01", "1", "+1", "2", "١", None]),
    "text like days": pl.Series(["2024-02-30", "2024-01-01"]),
    "text like one number": pl.Series(["7"]),
    "text": pl.Series(["", "a=b/c%", ".", "Ωμέγα", " 1"]),
    "Int8": pl.Series([-128, 127, None], dtype=pl.Int8),
    "UInt64": pl.Series([0, 2**64 - 1], dtype=pl.UInt64),
    "Date": pl.Series([datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
    "no Date": pl.Series([None], dtype=pl.Date),
}
FOREIGN = {
    ("01", "1"): pl.String,
    ("1", "-2"): pl.Int64,
    ("-0",): pl.String,
    ("١", "1"): pl.String,
    ("9223372036854775807",): pl.Int64,
    ("9223372036854775808",): pl.String,
    ("2024-02-29",): pl.Date,
    ("2024-02-30",): pl.String,
    ("__HIVE_DEFAULT_PARTITION__", "3"): pl.Int64,
}


def lazy(rows: pl.DataFrame) -> LazyFrame:
    return Frame.from_arrow(rows.to_arrow(), ALONE).lazy()


@pytest.mark.parametrize("case", WRITTEN)
def test_keys_are_read_back_as_they_were(tmp_path: Path, case: str):
    rows = pl.DataFrame({"k": WRITTEN[case], "n": range(len(WRITTEN[case]))})
    lazy(rows).sink_parquet(tmp_path / "rows", partition_by="k")
    read = scan_parquet(tmp_path / "rows", ALONE).collect().to_polars()
    assert read.schema == {"n": pl.Int64, "k": rows.schema["k"]}
    assert read.select("k", "n").sort("n").equals(rows)


@pytest.mark.parametrize("values", FOREIGN)
def test_folders_of_others_are_numbers_only_where_these_are_written_so(tmp_path: Path, values: tuple[str, ...]):
    for value in values:
        (tmp_path / f"k={value}").mkdir()
        pl.DataFrame({"n": [1]}).write_parquet(tmp_path / f"k={value}" / "x.parquet")
    read = scan_parquet(tmp_path, ALONE).collect().to_polars()["k"]
    expected = [None if value.startswith("__") else value for value in values]
    assert read.dtype == FOREIGN[values]
    assert sorted(read.cast(pl.String), key=str) == sorted(expected, key=str)


def test_no_rows_are_read_back_with_their_columns(tmp_path: Path):
    rows = pl.DataFrame({"k": ["a"], "n": [1], "d": [datetime.date(2024, 1, 1)]})
    lazy(rows).filter(pl.col("n") > 5).sink_parquet(tmp_path / "rows", partition_by=["d", "k"])
    read = scan_parquet(tmp_path / "rows", ALONE).collect().to_polars()
    assert (read.height, read.schema) == (0, {"n": pl.Int64, "d": pl.Date, "k": pl.String})
    assert pl.read_parquet(tmp_path / "rows").schema == read.schema


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("__HIVE_DEFAULT_PARTITION__", "this text cannot stand in the name of a folder, where it means null"),
        ("é" * 100, "(602 bytes)"),
    ],
)
def test_values_that_no_folder_can_be_called_by_are_refused(tmp_path: Path, value: str, said: str):
    with pytest.raises(InputError) as refused:
        lazy(pl.DataFrame({"k": [value, "a"], "n": [1, 2]})).sink_parquet(tmp_path / "rows", partition_by="k")
    assert said in str(refused.value) and "column 'k'" in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("by", [None, "k"])
def test_a_file_is_no_folder_for_rows(tmp_path: Path, by: str | None):
    (file := tmp_path / "rows").write_text("mine")
    for folder, said in ((file, "this is a file"), (file / "inner", f"{file} is a file")):
        with pytest.raises(InputError) as refused:
            lazy(pl.DataFrame({"k": ["a"], "n": [1]})).sink_parquet(folder, partition_by=by)
        assert said in str(refused.value)
    assert file.read_text() == "mine"


WRITERS = {
    "sink": lambda rows, folder: lazy(rows).sink_parquet(folder),
    "parted": lambda rows, folder: lazy(rows).sink_parquet(folder, partition_by="k"),
    "parquet": lambda rows, folder: lazy(rows).collect().write_parquet(folder),
    "arrow": lambda rows, folder: lazy(rows).collect().write_arrow(folder),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("inner", [".git/HEAD", "src/deep/code.py", "notes.txt", "k=1/notes.txt", "link", "../rows/."])
def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path, monkeypatch, writer: str, inner: str):
    """It was removed, whatever was in it."""
    (folder := tmp_path / "rows").mkdir()
    write = WRITERS[writer]
    if inner == "link":
        (tmp_path / "other").mkdir()
        folder.rmdir()
        folder.symlink_to("other")
        said = "this is a link\n  found: it leads to other"
    elif inner.endswith("."):
        monkeypatch.chdir(folder)
        said = "the working folder"
    else:
        (folder / inner).parent.mkdir(parents=True, exist_ok=True)
        (folder / inner).write_text("mine")
        said = f"found: {inner if '=' in inner else inner.split('/')[0]}\n"
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as refused:
        write(pl.DataFrame({"k": ["a"], "n": [1]}), folder)
    assert said in str(refused.value) and f"{folder}: " in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_of_such_a_writer_or_an_empty_one_is_replaced(tmp_path: Path):
    (folder := tmp_path / "rows").mkdir()
    for number, write in enumerate([*WRITERS.values(), *WRITERS.values()]):
        write(pl.DataFrame({"k": ["a"], "n": [number]}), folder)
        (folder / ".snakemake_timestamp").touch()
    assert [file.name for file in folder.rglob("*") if file.is_file() and file.suffix] == ["part-00000.arrow"]


def test_a_sink_that_is_refused_runs_nothing(tmp_path: Path, monkeypatch):
    (tmp_path / "mine.txt").touch()
    plan = lazy(pl.DataFrame({"k": ["a"], "n": [1]}))
    monkeypatch.setattr(LazyFrame, "collect", lambda *_, **__: pytest.fail("the plan ran"))
    with pytest.raises(InputError, match=r"mine\.txt"):
        plan.sink_parquet(tmp_path)
