"""Files with other columns than their neighbours."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import polars as pl
import pytest

from deeprc.core.errors import InputError
from deeprc.frames import Communicator, scan_arrow, scan_parquet
from deeprc.frames.lazy.drift import united, wider


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pl.Int8, pl.Int64, pl.Int64), (pl.UInt8, pl.UInt16, pl.UInt16), (pl.UInt8, pl.Int8, pl.Int16),
        (pl.UInt32, pl.Int8, pl.Int64), (pl.UInt64, pl.Int64, None), (pl.Int32, pl.Float32, pl.Float64),
        (pl.Int64, pl.Float64, None), (pl.Float32, pl.Float64, pl.Float64), (pl.Null, pl.String, pl.String),
        (pl.String, pl.Int64, None), (pl.Date, pl.Datetime, None), (pl.Boolean, pl.Int8, None),
    ],
)  # fmt: skip
def test_the_type_that_holds_both(one, other, both) -> None:
    expected = None if both is None else both()
    assert wider(one(), other()) == expected and wider(other(), one()) == expected


def test_the_order_of_the_files_makes_no_difference() -> None:
    for kinds in permutations([pl.Int8(), pl.UInt32(), pl.Float32(), pl.Null()]):
        assert united([{"a": kind} for kind in kinds], kinds) == {"a": pl.Float64()}
    for kinds in permutations([pl.Int8(), pl.UInt32(), pl.Int64(), pl.Float64()]):
        with pytest.raises(InputError, match="none holds the values of both"):
            united([{"a": kind} for kind in kinds], kinds)


def test_columns_are_united_by_name(tmp_path: Path) -> None:
    pl.DataFrame({"a": pl.Series([1, 2], dtype=pl.Int32), "b": ["x", "y"]}).write_parquet(tmp_path / "0.parquet")
    pl.DataFrame({"c": [0.5], "a": pl.Series([2**40], dtype=pl.Int64)}).write_parquet(tmp_path / "1.parquet")
    plan = scan_parquet(tmp_path, Communicator.world())
    expected = pl.DataFrame({"a": [1, 2, 2**40], "b": ["x", "y", None], "c": [None, None, 0.5]})
    assert plan.collect().to_polars().equals(expected) and plan.schema == expected.schema
    assert plan.filter(pl.col("a") > 1).select("c", "a").collect().to_polars().rows() == [(None, 2), (0.5, 2**40)]


def test_types_that_nothing_holds_are_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "0.parquet")
    pl.DataFrame({"a": ["x"]}).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(InputError, match=r"1\.parquet[\s\S]*a: String[\s\S]*a: Int64 \(.*0\.parquet"):
        scan_parquet(tmp_path, Communicator.world())


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_file_that_has_changed_since_it_was_scanned_is_an_error(tmp_path: Path, kind: str) -> None:
    """Several ranks would read as many rows of the new one as the old one had."""
    file, scan = tmp_path / f"rows.{kind}", {"parquet": scan_parquet, "arrow": scan_arrow}[kind]
    write = {"parquet": pl.DataFrame.write_parquet, "arrow": pl.DataFrame.write_ipc}[kind]
    write(pl.DataFrame({"x": range(10)}), file)
    plan = scan(file, Communicator.alone())
    assert plan.collect().rows() == 10
    file.unlink()  # it may be mapped
    write(pl.DataFrame({"x": range(3000)}), file)
    with pytest.raises(InputError, match="another one since it was scanned"):
        plan.collect()
    assert scan(file, Communicator.alone()).collect().rows() == 3000
