"""CSV files: whatever their lines are, each part of the text is read as Polars reads the whole."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

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
