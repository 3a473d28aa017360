"""CSV files: whatever their lines are, each part of the text is read as Polars reads the whole."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from deeprc.core.errors import InputError
from deeprc.frames import Communicator, scan_csv
from deeprc.frames.lazy.csv import Text, text

ALONE = Communicator.alone()
TEXTS = [
    "a,b,c\n1,2,3\n3,4\n5,6,7\n8,9\n",  # short lines
    "a,b,c\n3,4\n5,6,7\n",  # the first one
    "a,b\n1,2\n3,4\n\n",  # an empty line at the end
    "a,b\r\n1,2\r\n\r\n3,4\r\n\r\n",
    "\n\r\na,b\n1,2\n3,4\n",  # empty lines before the names
    "a\n1\n\n2\n",
    "\ufeffa,b\n1,2\n3,4\n",
    'a,"b,c"\n1,2\n3\n\n',
    "a,a\n1,2\n3\n",  # Polars gives the second one another name
    "a,b\n",
    "a,b\n1,2\n3,4",
]


def in_parts(rows: Text, cuts: int) -> pl.DataFrame:
    """The rows as so many ranks would read them."""
    parts = [part for rank in range(cuts) for part in rows._parts(rank, cuts)]
    read = [rows._scan(part, rows._whole(part)) for part in parts]
    return pl.concat(read).collect() if read else pl.DataFrame(schema=rows.schema)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_every_part_is_read_as_the_whole(tmp_path: Path, number: int, header: bool) -> None:
    (file := tmp_path / "rows.csv").write_bytes(TEXTS[number].encode())
    expected = pl.read_csv(file, has_header=header)
    assert_frame_equal(scan_csv(file, ALONE, has_header=header).collect().to_polars(), expected)
    rows = text(file, {"has_header": header}, ALONE)
    for cuts in (2, 3, 4) if '"' not in TEXTS[number] or header else ():
        assert_frame_equal(in_parts(rows, cuts), expected)


@given(st.lists(st.lists(st.integers(0, 99), max_size=3), min_size=1, max_size=9), st.integers(1, 5))
def test_lines_of_any_length_are_read_alike_by_any_number_of_ranks(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[int]], cuts: int
) -> None:
    file = tmp_path_factory.mktemp("csv") / "rows.csv"
    file.write_text("a,b,c\n" + "".join(",".join(map(str, line)) + "\n" for line in lines))
    types = {"schema_overrides": dict.fromkeys("abc", pl.Int64)}
    assert_frame_equal(in_parts(text(file, types, ALONE), cuts), pl.read_csv(io.BytesIO(file.read_bytes()), **types))


@pytest.mark.parametrize("memory", [None, "8 MiB"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "none,2",
            "scan_csv: a value of column 'a' is not of the type that its first lines have\n  found: none\n"
            "  expected: Int64\n  fix: schema_overrides={'a': pl.String}, null_values=['none'] where it means none, or "
            "a larger infer_schema_length",
        ),
        (
            "1,2,3",
            "scan_csv: a line has more fields than there are columns\n  expected: at most 2: a, b\n"
            "  fix: mend the line, or give the separator= and the quote_char= of the file",
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_file(tmp_path: Path, line: str, said: str, memory: str | None):
    (folder := tmp_path / "k=1").mkdir()  # a column that no file has
    (folder / "a.csv").write_text("a,b\n" + "1,2\n" * 2000)
    (folder / "b.csv").write_text("a,b\n" + "1,2\n" * 2000 + line + "\n")
    with pytest.raises(InputError) as refused:
        scan_csv(tmp_path, ALONE).sort("a").collect(memory=memory)
    assert str(refused.value) == f"{folder / 'b.csv'}: {said}"


def test_what_polars_cannot_do_with_rows_that_are_read_is_said_as_before(tmp_path: Path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n")
    with pytest.raises(Exception, match="conversion from `str` to `i64` failed"):
        scan_csv(tmp_path, ALONE).select(pl.col("b").cast(pl.Int64)).collect()
