"""Which line of which file each prepared row was read from (`deeprc.learning.origin`)."""

from __future__ import annotations

import polars as pl

from deeprc.applications.hydrology.datasets.base import Dataset
from deeprc.core.contents import named
from deeprc.frames import Frame

WEATHER, OBSERVED = "line", "obs_line"  # columns of the joined frame


def apart(frame: Frame) -> tuple[Frame, pl.DataFrame]:
    """The prepared frame without the columns of lines, and these: `basin`, `row`, `line` and `obs_line`; every rank."""
    local = frame.to_polars()
    before = sum(frame.comm.allgather(local.height)[: frame.comm.rank])
    row = pl.int_range(before, before + local.height, dtype=pl.Int64, eager=True).alias("row")
    lines = local.select("basin", row, WEATHER, OBSERVED)
    return Frame(local.drop(WEATHER, OBSERVED), frame.comm), lines


def by_file(lines: pl.DataFrame, dataset: Dataset, window: int) -> tuple[pl.DataFrame, list[dict]]:
    """`row`, `file` and `line` of this rank's rows, and the files: of the weather a window of days, of the rest one.

    Parameters
    ----------
    lines
        As `apart` gives them.
    """
    ends = {basin: (files[0], files[-1]) for basin in dataset.basins for files in [dataset.files(basin)]}
    names = {path: name for name, path in named(dict.fromkeys(path for pair in ends.values() for path in pair)).items()}
    numbers = {path: number for number, path in enumerate(names)}
    weather = {first for first, _ in ends.values()}
    told = [{"name": name, "before": window - 1 if path in weather else 0, "after": 1} for path, name in names.items()]

    def of(column: str, file: dict[str, int]) -> pl.DataFrame:
        mine = lines.filter(pl.col("basin").is_in(list(file)), pl.col(column).is_not_null())
        number = pl.col("basin").replace_strict(file, return_dtype=pl.Int64).alias("file")
        return mine.select("row", number, pl.col(column).alias("line"))

    shares = [of(WEATHER, {basin: numbers[first] for basin, (first, _) in ends.items()})]
    if own := {basin: numbers[last] for basin, (first, last) in ends.items() if last != first}:
        shares.append(of(OBSERVED, own))
    return pl.concat(shares), told
