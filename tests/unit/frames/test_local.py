"""The local kernels on more rows than the property tests have: each way of doing it gives what Polars gives."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from deeprc.core.errors import InputError
from deeprc.frames import Communicator, Frame, io, join, reduce
from deeprc.frames.groupby import plan
from deeprc.frames.io import share_of
from deeprc.frames.join import HOW, local_join, result_columns
from deeprc.frames.reduce import Reduction, reduce_groups
from deeprc.frames.shuffle import value_width
from deeprc.frames.wire import from_arrays, to_arrays, to_table

ROWS = 20_000


def table(kind: str, value: str, seed: int) -> pl.DataFrame:
    """Random rows; a tenth of the keys is null."""
    random = np.random.default_rng(seed)
    numbers = pl.Series(random.integers(-5000, 5000, ROWS))
    keys = {
        "int": numbers,
        "wide": numbers * 1_000_000_007_000_003,
        "float": numbers / 7,
        "text": numbers.cast(pl.String) + "ü",
        "time": numbers.cast(pl.Datetime("ms")),
        "bool": numbers > 4990,
    }
    null = pl.Series(random.random(ROWS) < 0.1)
    return pl.DataFrame({"key": keys[kind].set(null, None), value: random.integers(0, 99, ROWS)}).with_row_index(
        f"row_{value}"
    )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("kind", ["int", "wide", "float", "text", "time"])
def test_joins_by_merging_and_in_buckets(kind: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = table(kind, "value", 1), table(kind, "value", 2).rename({"row_value": "row"})
    expected = left.join(right, on="key", how=how)
    monkeypatch.setattr(join, "SMALL", 500)
    found = local_join(left, right, ["key"], how, "_right").select(expected.columns)
    assert_frame_equal(found, expected, check_row_order=False)


@pytest.mark.parametrize("kinds", [("int", "time"), ("int", "text"), ("bool", "int")])
def test_joins_on_two_keys(kinds: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = (
        table(kinds[0], "a", seed).with_columns(second=table(kinds[1], "b", seed + 10)["key"]).sample(5000, seed=seed)
        for seed in (1, 2)
    )
    right = pl.concat([right, left.head(1000)])
    expected = left.join(right, on=["key", "second"], how="full")
    monkeypatch.setattr(join, "SMALL", 500)
    found = local_join(left, right, ["key", "second"], "full", "_right").select(expected.columns)
    assert_frame_equal(found, expected, check_row_order=False)


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32, pl.Int64, pl.Int32])
def test_cells_and_hash_tables_reduce_alike(dtype: pl.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table("int", "value", 3).with_columns(pl.col("value").cast(dtype))
    if dtype.is_float():
        rows = rows.with_columns(
            pl.when(pl.col("value") == 7).then(float("nan")).otherwise(pl.col("value")).alias("value")
        )
    rows = rows.with_columns(pl.when(pl.col("value") != 9).then(pl.col("value")).alias("value"))
    kinds = ["len", "count", "sum", "total", "min", "max"]
    wanted = [Reduction(kind, kind, "value") for kind in kinds]
    by_cells = reduce_groups(rows, ["key"], wanted)
    monkeypatch.setattr(reduce, "CELLS_PER_ROW", 0)
    by_hash = reduce_groups(rows, ["key"], wanted)
    assert by_cells.height > 5000
    assert_frame_equal(by_cells, by_hash, check_row_order=False)


@pytest.mark.parametrize("cells", [0, 4])
def test_totals_of_whole_numbers_are_exact(cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce, "CELLS_PER_ROW", cells)
    for values in ([2**63 - 1] * 3 + [-7, None], [-(2**63), -(2**63), 2**33 + 1, 5, None], [1, 2, 3, None, None]):
        rows = pl.DataFrame({"key": [1, 1, 1, 2, 3], "value": pl.Series(values, dtype=pl.Int64)})
        found = reduce_groups(rows, ["key"], [Reduction("total", "total", "value")]).sort("key")
        assert found.rows() == [(1, sum(values[:3])), (2, values[3] or 0), (3, 0)]
        assert found.schema["total"] == pl.Int128


def test_pieces_are_dealt_by_rows() -> None:
    pieces = [(0, 0, 10), (0, 1, 10), (1, 0, 60), (2, 0, 10), (2, 1, 10)]
    assert [share_of(pieces, rank, 3) for rank in range(3)] == [pieces[:2], pieces[2:3], pieces[3:]]
    assert [share_of([(0, 0, 0)], rank, 2) for rank in range(2)] == [[], []]
    assert [piece for rank in range(8) for piece in share_of(pieces, rank, 8)] == pieces


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([0, -1, 2**127 - 1, -(2**127), None], dtype=pl.Int128),
        pl.Series([0, 2**64, 2**128 - 1, None], dtype=pl.UInt128),
        pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "a"])),
        pl.Series(["b", None, "a"], dtype=pl.Categorical),
        pl.Series([[["a"], []], None], dtype=pl.List(pl.List(pl.String))),
        pl.Series([1.5, None], dtype=pl.Float16),
        pl.Series([None, None]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_columns_come_back_from_their_arrays(column: pl.Series) -> None:
    frame = pl.DataFrame({"": column, "0": column})
    assert_frame_equal(from_arrays(to_arrays(frame), frame.schema), frame)
    assert from_arrays(to_arrays(frame.clear()), frame.schema).schema == frame.schema


def test_a_type_without_an_arrow_form_is_named() -> None:
    odd = pl.DataFrame({"fine": [1], "odd": pl.Series([[2]], dtype=pl.List(pl.Int128))})
    for take in (to_arrays, to_table):
        with pytest.raises(InputError, match=r"'odd'.*\n.*List\(Int128\)"):
            take(odd)
    with pytest.raises(InputError, match=r"'whole'.*\n.*Int128\n.*Decimal"):
        to_table(pl.DataFrame({"whole": pl.Series([1], dtype=pl.Int128)}))


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("on", [["k"], ["k", "a"], ["y", "k"]], ids="".join)
def test_names_of_joined_columns(how: str, on: list[str]) -> None:
    left, right = (pl.DataFrame(schema=dict.fromkeys(names, pl.Int8)) for names in ("akxy", "ykza"))
    assert result_columns(left, right, on, how, "_r") == left.join(right, on=on, how=how, suffix="_r").columns


def test_bytes_of_a_value() -> None:
    assert [value_width(kind) for kind in (pa.int8(), pa.date32(), pa.timestamp("us", "UTC"), pa.decimal128(9, 2))] == [
        1,
        4,
        8,
        16,
    ]
    assert [value_width(kind) for kind in (pa.list_(pa.int8()), pa.large_string(), pa.struct([]))] == [0, 0, 0]


def test_work_grows_with_the_columns_not_with_their_square() -> None:
    many = pl.DataFrame({f"c{index}": [1, 2] for index in range(4000)})
    start = time.process_time()
    planned = plan(many, ["c0"], dict.fromkeys(many.columns[1:], "sum"))
    reduce_groups(planned.rows, planned.keys, planned.reductions)
    assert len(result_columns(many, many, ["c0"], "inner", "_right")) == 7999
    assert time.process_time() - start < 20  # it was minutes


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_dictionaries_are_written_a_part_at_a_time(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "GROUP", 2)
    words = pl.DataFrame({"word": pl.Series(["a", "b", "c", None, "a"], dtype=pl.Categorical)})
    getattr(Frame(words, Communicator.world()), f"write_{kind}")(tmp_path / "words")
    read = getattr(Frame, f"read_{kind}")(tmp_path / "words", Communicator.world())
    assert_frame_equal(read.to_polars(), words)
