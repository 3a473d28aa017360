"""Columns in the form in which they travel."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from deeprc.frames import wire


def test_chunks_of_nulls_that_arrow_does_not_put_together_travel(tmp_path: Path) -> None:
    """Those of `replace_strict` over several row groups: the error blamed the column's type."""
    pl.DataFrame({"a": [1, 2, 3, 4] * 25}).write_parquet(tmp_path / "a.parquet", row_group_size=12)
    made = pl.col("a").replace_strict({1: 1.5}, default=None).alias("made")
    rows = pl.scan_parquet(tmp_path / "a.parquet").with_columns(made).with_row_index()
    column = rows.collect(engine="streaming")["made"].to_frame()
    with pytest.raises(pa.ArrowIndexError):  # if no more, `wire` may be simpler
        column.to_arrow(compat_level=wire.OLDEST).column(0).combine_chunks()
    (array,) = wire.to_arrays(column)
    assert array.to_pylist() == [1.5, None, None, None] * 25
