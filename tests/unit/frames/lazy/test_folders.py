"""Folders `name=value`: what a sink has written is read back as it was, and what others wrote as Polars reads it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
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


def test_folders_of_a_column_that_begins_with_an_underscore_are_read_back(tmp_path: Path):
    """They were passed over, as marks are."""
    rows = pl.DataFrame({"n": [1, 2], "k": [1, 1], "_k": [3, 4]})
    lazy(rows).sink_parquet(tmp_path / "rows", partition_by=["k", "_k"])
    assert scan_parquet(tmp_path / "rows", ALONE).collect().to_polars().rows() == rows.rows()


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


def files(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"n": [number]}).write_parquet(root / name)


def test_folders_in_a_folder_are_read_as_by_polars(tmp_path: Path):
    """They were left out."""
    files(tmp_path, "z.parquet", "sub/a.parquet", "b.parquet", "sub/deep/c.parquet", "_d.parquet")
    (tmp_path / "linked").symlink_to("sub")
    assert rows_of(tmp_path) == pl.read_parquet(tmp_path)["n"].to_list()
    assert Frame.read_parquet(tmp_path, ALONE).to_polars()["n"].to_list() == rows_of(tmp_path)
    files(tmp_path, "_temporary/x.parquet", ".ipynb_checkpoints/a.parquet", ".e.parquet")
    for mark in ("_SUCCESS", "_metadata", ".a.parquet.crc"):
        (tmp_path / mark).touch()
    assert len(rows_of(tmp_path)) == 7
    assert rows_of(f"{tmp_path}/**/*.parquet") == [4, 2, 1, 3, 0]  # it read _temporary, too
    assert rows_of(f"{tmp_path}/_*/x.parquet") == [0]  # but it is read where it is asked for
    files(tmp_path / "parted", "k=1/x/a.parquet", "k=2/y/b.parquet")
    assert scan_parquet(tmp_path / "parted", ALONE).collect().to_polars()["k"].to_list() == [1, 2]
    (tmp_path / "sub" / "up").symlink_to("..")
    with pytest.raises(InputError, match="without an end"):
        rows_of(tmp_path)


def rows_of(path: Path | str) -> list:
    return scan_parquet(path, ALONE).collect().to_polars()["n"].to_list()


@pytest.mark.parametrize("name", ["b.PARQUET", "b.pq", "part-0", "k=1/b.pq", "sub/README.txt", "gone.parquet"])
@pytest.mark.parametrize("read", [scan_parquet, Frame.read_parquet])
def test_nothing_in_a_folder_is_left_out(tmp_path: Path, name: str, read: Callable):
    """It was, without a word."""
    files(tmp_path, "k=1/a.parquet" if "=" in name else "a.parquet", name)
    said = "another name"
    if name == "gone.parquet":
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to("nowhere")
        said = "this file is listed, but not there\n  found: a link to nowhere"
        for path in (tmp_path / "*.parquet", tmp_path / name):
            with pytest.raises(InputError, match=f"{name}: {said}"):
                read(path, ALONE)
    with pytest.raises(InputError, match=f"{name}: .*{said}"):
        read(tmp_path, ALONE)


@pytest.mark.parametrize(
    "key",
    [
        pl.Series([1, 2, None]),
        pl.Series([1, 300, 2], dtype=pl.Int16),
        pl.Series([0.5, 1.0, -3e300]),
        pl.Series([True, False, None]),
        pl.Series(["01", "1", "a b/c"]),
        pl.Series([datetime.date(2024, 1, 1), None, datetime.date(1, 1, 1)]),
        pl.Series([datetime.datetime(2024, 1, 1, 3, 4, 5, 6), None, datetime.datetime(2024, 1, 1)]),
    ],
    ids=lambda key: str(key.dtype),
)
def test_folders_that_polars_has_written_are_read_as_by_polars(tmp_path: Path, key: pl.Series):
    """Its files have the column, too."""
    table = pl.DataFrame({"a": [1, 2, 3], "k": key, "z": [4, 5, 6]})
    table.write_parquet(tmp_path / "rows", partition_by="k")
    for path in ("rows", "rows/*/*.parquet", "rows/k=*/*.parquet"):
        plan = scan_parquet(tmp_path / path, ALONE)
        assert plan.schema == table.schema and plan.collect().to_polars().sort("a").equals(table)
    picked = plan.filter(pl.col("k") == table["k"][1]).explain() if table["k"][1] is not None else "(1 files)"
    assert "(1 files)" in picked


def test_the_value_of_a_folder_holds_and_one_that_is_none_is_an_error(tmp_path: Path):
    pl.DataFrame({"k": [7], "n": [1]}).write_parquet(file := tmp_path / "a.parquet")
    for value in ("1", "2"):
        (tmp_path / f"k={value}").mkdir()
        (tmp_path / f"k={value}" / "a.parquet").write_bytes(file.read_bytes())
    file.unlink()
    assert (
        scan_parquet(tmp_path, ALONE).collect().to_polars()["k"].to_list() == pl.read_parquet(tmp_path)["k"].to_list()
    )
    (tmp_path / "k=2").rename(tmp_path / "k=b")
    with pytest.raises(InputError, match=r"do not fit\n  found: k=b\n  expected: Int64"):
        scan_parquet(tmp_path, ALONE)
    files(tmp_path, "c.parquet")
    with pytest.raises(InputError, match=r"not parted alike\n  found: (k|no folder name=value)\n  expected: (no|k)"):
        scan_parquet(tmp_path, ALONE)


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
