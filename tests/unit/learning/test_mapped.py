"""Mapped rows: where they lie, and that windows are the same however many pieces the rows are in."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.core.errors import ConfigError, InputError
from deeprc.learning.mapped import Mapped, mapped
from deeprc.learning.torch.mapped import tensors
from samples.mappings import mapped_file

TABLE = pa.table({
    "y": np.arange(20, dtype=np.float32), "z": np.arange(20, dtype=np.float32) ** 2,
    "known": np.arange(20) % 3 == 0, "day": pa.array(range(20), pa.int32()).cast(pa.date32()),
})  # fmt: skip


def write(folder: Path, *tables: pa.Table) -> Path:
    folder.mkdir()
    for rank, table in enumerate(tables):
        with pa.ipc.new_file(folder / f"part-{rank:05d}.arrow", table.schema) as file:
            file.write_table(table)
    return folder


def test_values_lie_in_the_files_and_what_is_written_to_them_does_not_get_there(tmp_path):
    folder = write(tmp_path / "rows", TABLE[:7], TABLE[7:7], TABLE[7:])
    files = [folder / "part-00000.arrow", folder / "part-00002.arrow"]
    before = [file.read_bytes() for file in files]
    rows = mapped(folder)
    assert len(rows) == 20
    for name in TABLE.column_names:
        assert [mapped_file(piece.values) for piece in rows.pieces(name)] == files
    _, tensor = tensors(rows, "y")
    assert [one.data_ptr() for one in tensors(rows, "y")] == [one.values.ctypes.data for one in rows.pieces("y")]
    tensor += 1  # torch knows no memory that is only read: without a copy of the page this ends the process
    assert [file.read_bytes() for file in files] == before
    one = mapped(files[0])
    assert mapped_file(one.column("y")) == files[0]
    assert mapped_file(np.arange(3)) is None


@given(st.lists(st.integers(0, 19)), st.integers(1, 9), st.data())
def test_windows_are_those_of_the_whole_table(cuts, length, data):
    edges = [0, *sorted(cuts), 20]
    pieces = [TABLE[begin:end] for begin, end in itertools.pairwise(edges)]
    rows = Mapped(pa.concat_tables(pieces))
    starts = np.array(data.draw(st.lists(st.integers(0, 20 - length))), np.int64)
    places = starts[:, None] + np.arange(length)
    whole = {name: TABLE[name].to_numpy() for name in ("y", "z", "known")}
    for name in ("y", "known"):
        for found in (rows.windows(name, starts, length), rows.take(name, places)):
            assert found.dtype == whole[name].dtype
            assert np.array_equal(found, whole[name][places])
    assert np.array_equal(rows.take("y", starts), whole["y"][starts])
    both = rows.windows(["y", "z"], starts, length)
    assert np.array_equal(both, np.stack([whole["y"][places], whole["z"][places]], axis=2))
    assert rows.windows([], starts, length).shape == (len(starts), length, 0)
    assert np.array_equal(rows.column("known"), whole["known"])
    assert np.array_equal(rows.column("day"), np.arange(20))


def test_columns_of_unlike_types_lose_nothing_beside_each_other():
    rows = Mapped(pa.table({"count": [1, 2, 3], "pm25": [0.5, 1.5, 2.5]}))
    for table in (rows, Mapped(pa.concat_tables([rows.table[:1], rows.table[1:]]))):
        assert table.windows(["count", "pm25"], np.array([0]), 3).tolist() == [[[1, 0.5], [2, 1.5], [3, 2.5]]]


def test_a_window_over_an_end_is_refused():
    for starts in ([-1], [16]):
        with pytest.raises(IndexError, match="of 20 rows"):
            Mapped(TABLE).windows("y", np.array(starts), 5)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": pa.array([1.0, None])}, "the column 'a' has values that are missing"),
        ({"a": pa.array(["x", "y"])}, "the column 'a' holds no numbers"),
    ],
)
def test_columns_that_are_no_numbers_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        Mapped(pa.table(columns)).pieces("a")
    with pytest.raises(InputError, match=message):
        tensors(Mapped(pa.table(columns)), "a")


def test_truth_values_and_days_are_no_tensors():
    for name in ("known", "day"):
        with pytest.raises(InputError, match=f"the column '{name}' cannot be a tensor without a copy"):
            tensors(Mapped(TABLE), name)


def test_an_unknown_column_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'known'"):
        Mapped(TABLE).pieces("knwon")


def test_files_that_are_absent_cut_off_or_unlike_are_named(tmp_path):
    with pytest.raises(InputError, match="no Arrow file"):
        mapped(tmp_path)
    folder = write(tmp_path / "rows", TABLE, TABLE.select(["y"]))
    with pytest.raises(InputError, match="the columns differ") as error:
        mapped(folder)
    assert error.value.where == folder / "part-00001.arrow"
    half = folder / "part-00000.arrow"
    half.write_bytes(half.read_bytes()[:300])
    with pytest.raises(InputError, match="not a whole Arrow file"):
        mapped(folder)
    half.write_bytes(b"")
    with pytest.raises(InputError, match="not a whole Arrow file"):
        mapped(folder)
