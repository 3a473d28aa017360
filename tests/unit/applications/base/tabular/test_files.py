"""Files: encodings, separators, the line of every row, and the true cause where there is no table."""

import os
import random
import subprocess
import sys
import zipfile
from datetime import date, datetime

import polars as pl
import pytest

from deeprc.applications.base.tabular import TableOptions, read_table
from deeprc.applications.base.tabular.parquet import ParquetColumns
from deeprc.core.errors import InputError
from deeprc.frames.lazy import budget
from samples.prepared import spoil

PLAIN = "date,Größe,b\n2020-01-01,1.5,3\n2020-01-02,NA,4\n"


def content(table) -> dict:
    return {name: table.numbers(name).to_list() for name in table.columns[1:]}


@pytest.mark.parametrize("separator", [*";\t|,", " "])
def test_separators_are_found(table, separator):
    read = table(PLAIN.replace(",", separator))
    assert content(read) == {"Größe": [1.5, None], "b": [3, 4]}
    assert [read.line(row) for row in range(2)] == [2, 3]
    quoted = "".join('"' + line.replace(",", f'"{separator}"') + '"\n' for line in PLAIN.splitlines())
    assert content(table(quoted)) == content(read)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(table, encoding, end):
    read = table(PLAIN.replace("\n", end), encoding)
    assert content(read) == {"Größe": [1.5, None], "b": [3, 4]}
    assert read.lines.to_list() == [2, 3]
    told = ["line 1 and perhaps others are not UTF-8: read as Windows-1252 (key 'encoding')"]
    assert read.notices == (told if encoding in ("cp1252", "latin-1") else [])


def test_a_given_encoding(table, refusal):
    text = PLAIN.replace("Größe", "水位")
    assert content(table(text.encode("shift_jis"), encoding="shift_jis"))["水位"] == [1.5, None]
    assert refusal(text.encode("shift_jis")).startswith("a.csv:1: neither UTF-8 nor Windows-1252")


def test_the_line_of_a_row(table):
    """Comments, empty lines and fields over two lines count."""
    text = '# made by hand\n\ndate,"the\nvalue"\n2020-01-01,1\n\n# a pause\n"2020-01-02\n",2\n2020-01-03,3\n'
    for end in ("\n", "\r\n"):
        read = table(text.replace("\n", end))
        assert read.columns == ["date", "the value"]
        assert read.lines.to_list() == [5, 8, 10]
        assert read.times("date").to_list() == [datetime(2020, 1, day) for day in (1, 2, 3)]


def test_decimal_commas_beside_a_comma_in_a_name(table):
    read = table("date;load, kW;b\n2020-01-01;1,5;2\n2020-01-02;2,5;3\n")
    assert content(read) == {"load, kW": [1.5, 2.5], "b": [2, 3]}


def test_what_surrounds_a_table_and_holds_nothing(table):
    """Separators at the ends of lines, rows of nothing, and the names once more (two files, one after the other)."""
    read = table("sep=;\ndate;a;\n2020-01-01;1;\n;;\ndate;a;\n2020-01-02;2;\n")
    assert content(read) == {"a": [1, 2]}
    assert read.lines.to_list() == [3, 6]
    assert read.notices == [
        "lines with no value at all, left out: 4",
        "lines with the names of the columns again, left out: 5",
    ]


def test_columns_without_a_name(table):
    read = table(",date,a\n0,2020-01-01,1\n1,2020-01-02,2\n")
    assert (read.columns, read.unnamed) == (["column 1", "date", "a"], ["column 1"])
    rows = table("date a\n1 2020-01-01 1\n2 2020-01-02 2\n")  # as R writes the numbers of rows
    assert (rows.columns, rows.unnamed) == (["column 1", "date", "a"], ["column 1"])


def test_names_are_found_without_regard_to_case_and_blanks(table, refusal):
    read = table("Date, Load kW \n2020-01-01,1\n")
    assert read.find("load  kw") == "Load kW"
    assert refusal("date,a,A\n1,2,3\n", lambda t: t.numbers("b")).splitlines()[0] == "a.csv: the column 'b' is missing"
    assert table("date,a,A\n1,2,3\n").numbers("A").to_list() == [3]
    assert refusal("date,a,a\n1,2,3\n", lambda t: t.numbers("a")) == (
        "a.csv: 2 columns are called 'a'\n  found: columns 2, 3\n  fix: give each a name of its own in the file"
    )


@pytest.mark.parametrize(
    ("text", "first", "fix"),
    [
        ("a,b,c\n1,2,3\n1,2\n", "a.csv:3: wrong number of fields", "complete this line; a missing value is an empty"),
        ("a,b\n1,2\n1,2,3\n", "a.csv:3: wrong number of fields", "put a field that holds the separator into quotes"),
        ("a,b\n1,2,5\n1,2,5\n", "a.csv:2: wrong number of fields", "numbers with decimal commas need another"),
        (
            "Station 5\na,b\n1,2\n3,4\n5,6\n7,8\n",
            "a.csv:2: wrong number of fields",
            "if line 1 does not hold the names",
        ),
        ("1,2\n3,4\n", "a.csv:1: there is no line of column names", "add a first line of names"),
        ("a,b\n", "a.csv: the file has a header and no rows", ""),
        ("# a,b\n", "a.csv: the file has no rows", ""),
        ("", "a.csv: the file is empty", ""),
        (" \n\n", "a.csv: the file is empty", ""),
        ("\ufeff", "a.csv: the file is empty", ""),
        ('"a,b"\n"1,2"\n', "a.csv:1: every line is one single field", "take the quotes off whole lines"),
        ('a,b\n1,"x\n2,3\n', "a.csv:2: the quotes do not close", "mend the quotes"),
        ("a,b\n1,\0\n", "a.csv:2: not a text file: it holds zero bytes", ""),
        ("a;b|c\n1;2|3\n4;5|6\n", "a.csv: the separator cannot be told", "name it by the key 'separator'"),
        ("<!DOCTYPE html>\n<p>", "a.csv: not a table: a web page", "download the file itself"),
        ('{"a": 1}', "a.csv: not a table: a JSON document", ""),
        ("version https://git-lfs.github.com/spec/v1\n", "a.csv: not a table: a pointer of Git LFS", "git lfs pull"),
    ],
)
def test_no_table(refusal, text, first, fix):
    error = refusal(text)
    assert error.startswith(first)
    assert fix in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"\x1f\x8b\x08", "compressed with gzip"), (b"\xd0\xcf\x11\xe0", "an Excel workbook"), (b"\x89HDF", "an HDF5")],
)
def test_files_of_another_kind(refusal, start, kind):
    assert refusal(start + bytes(100)).startswith(f"a.csv: not a table: {kind}")


def test_a_separator_that_no_line_has(refusal):
    error = refusal("a,b\n1,2\n", separator=";")
    assert error.startswith("a.csv:1: every line is one single field\n  found: 'a,b'")
    assert error.endswith("give the key 'separator': ','")


def test_archives_folders_and_pipes(tmp_path):
    def said(name: str) -> str:
        with pytest.raises(InputError) as error:
            read_table(tmp_path / name)
        return str(error.value).splitlines()[0].removeprefix(f"{tmp_path}/")

    for name, member in (("a.zip", "a.csv"), ("a.xlsx", "xl/workbook.xml")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(50))
    assert said("a.zip") == "a.zip: not a table: a zip archive"
    assert said("a.xlsx") == "a.xlsx: not a table: a spreadsheet (xlsx or ods)"
    assert said("pipe") == "pipe: is no plain file (a pipe or a device)"
    assert said("folder") == "folder: is a folder, where a file should be"
    assert said("nowhere") == "nowhere: no such file"
    assert said("bad.parquet") == "bad.parquet: this Parquet file cannot be read"


def test_names_and_the_line_of_the_names_can_be_given(table):
    assert content(table("2020-01-01,1\n2020-01-02,2\n", names=["date", "a"])) == {"a": [1, 2]}
    read = table("Station X\nLat;5\ndate;a\n2020-01-01;1\n", header=3)
    assert (content(read), read.lines.to_list()) == ({"a": [1]}, [4])


def test_of_a_wide_parquet_file_only_what_is_used_is_read(tmp_path):
    """A column that nobody asks for may as well be broken."""
    path, chance = tmp_path / "wide.parquet", random.Random(1)
    columns = {f"x{place}": [chance.random() for _ in range(500)] for place in range(3)}
    frame = pl.DataFrame({"date": ["2020-01-01"] * 500, **columns, "word": ["a", "1,5"] * 250})
    frame.write_parquet(path, compression="uncompressed")
    spoil(path, "x1")
    table = read_table(path)
    assert len(table) == 500 and table.columns == frame.columns
    assert table.numbers("x2").to_list() == columns["x2"]
    assert table.decimals == {"word": ","}
    assert table.of_rows(table.words("word") == "a").numbers("x0").to_list() == columns["x0"][::2]
    assert table.of_rows(table.words("word") == "a").line(1) == 3
    with pytest.raises(InputError, match="this Parquet file cannot be read"):
        table.numbers("x1")


def test_parquet_is_read_by_the_scans_of_frames_without_mpi(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": [1.5, 2.5]}).write_parquet(path)
    program = """
import sys
from pathlib import Path
from deeprc.applications.base.tabular import read_table
print(read_table(Path(sys.argv[1])).numbers("a").to_list())
from deeprc.frames.lazy import scan
assert "mpi4py" not in sys.modules and len(scan._KNOWN) == 1
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert done.stdout == "[1.5, 2.5]\n", done.stderr


def test_what_is_wrong_around_a_parquet_file_is_not_told_of_it(tmp_path, monkeypatch):
    """A job's rows have no room in its memory, and TMPDIR is none: the file is whole."""
    pl.DataFrame({"x": range(300_000)}).write_parquet(tmp_path / "t.parquet")
    table = ParquetColumns(tmp_path / "t.parquet")
    monkeypatch.setattr(budget, "_of_job", lambda: 10**7)
    monkeypatch.setattr(budget, "_KNOWN", {})
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"^TMPDIR is no folder") as refused:
        table[0]
    assert "set TMPDIR" in refused.value.fix


def test_names_that_could_be_patterns(tmp_path):
    """Of a file it is a name: brackets, as browsers write them. Of a column other ones were read in its place."""
    for name, value in (("d[1]", 1.5), ("d*", 2.5), ("d1", 3.5)):
        with (tmp_path / f"{name}.parquet").open("wb") as file:
            pl.DataFrame({"a" if name == "d1" else "b": [value]}).write_parquet(file)
    assert read_table(tmp_path / "d[1].parquet").numbers("b").to_list() == [1.5]
    assert read_table(tmp_path / "d*.parquet").numbers("b").to_list() == [2.5]
    for name in ("^a.*$", "*"):
        pl.DataFrame({name: [1], "ab": [3]}).write_parquet(tmp_path / "c.parquet")
        with pytest.raises(InputError, match="a column of this name cannot be in a lazy frame"):
            read_table(tmp_path / "c.parquet")


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame(
        {
            "date": [date(2020, 1, 1), date(2020, 1, 2)],
            "utc": pl.Series([datetime(2020, 1, 1), datetime(2020, 1, 2, 1)]).dt.replace_time_zone("Europe/Berlin"),
            "text": ["2020-01-01T00:00", "2020-01-02T00:00"],
            "a": pl.Series([1.5, float("nan")]),
            "b": pl.Series(["1.5", "2.5"]).cast(pl.Categorical),
            "c": [[1], [2]],
            "d": pl.Series([float("inf"), -9999.0]),
        }
    )
    frame.write_parquet(path)
    read = read_table(path)
    days = [datetime(2020, 1, 1), datetime(2020, 1, 2)]
    assert read.times("date").to_list() == read.times("text").to_list() == days
    assert read.times("utc").to_list() == [datetime(2019, 12, 31, 23), datetime(2020, 1, 2)]
    assert (read.numbers("a").to_list(), read.numbers("b").to_list()) == ([1.5, None], [1.5, 2.5])
    for name, said in (("c", f"{path}, column 'c': no numbers"), ("d", f"{path}, row 1, column 'd': not a finite")):
        with pytest.raises(InputError) as error:
            read.numbers(name)
        assert str(error.value).startswith(said)
    assert read_table(path, TableOptions(missing=["inf", "-9999"])).numbers("d").to_list() == [None, None]
