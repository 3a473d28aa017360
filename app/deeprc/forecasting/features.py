"""From raw columns to model inputs: calendar, gaps, scale. Pure functions of one rank's rows and the others' edges."""

from __future__ import annotations

import math

import polars as pl

from deeprc.forecasting.splits import Grid

CALENDAR = ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "month_sin", "month_cos"]


def calendar(grid: Grid, begin: int, end: int) -> pl.DataFrame:
    """The rows `begin` to `end` of the grid: `ds`, `row` and the calendar as points on circles (sine and cosine)."""
    rows = pl.DataFrame({"row": pl.int_range(begin, end, dtype=pl.Int64, eager=True)})
    table = rows.select((grid.first + pl.col("row") * grid.step).cast(pl.Datetime("us")).alias("ds"), "row")
    ds = pl.col("ds").dt
    angles = {
        "hour": (ds.hour() + ds.minute() / 60) / 24,
        "weekday": (ds.weekday() - 1) / 7,
        "month": (ds.month() - 1) / 12,
    }
    columns = [
        getattr((turn * 2 * math.pi), function)().cast(pl.Float32).alias(f"{name}_{function}")
        for name, turn in angles.items()
        for function in ("sin", "cos")
    ]
    return table.with_columns(columns)


def with_part(table: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Add `part`: 0 for training, 1 for validation, 2 for test rows."""
    row = pl.col("row")
    part = pl.when(row < grid.cuts[0]).then(0).when(row < grid.cuts[1]).then(1).otherwise(2)
    return table.with_columns(part.cast(pl.Int8).alias("part"))


def edges(table: pl.DataFrame, columns: list[str]) -> dict[str, pl.DataFrame]:
    """The first and last known value of each column in each part: what other ranks need to fill gaps at their ends."""
    return {
        name: pl.concat([known.group_by("part").first(), known.group_by("part").last()]).select("row", "part", name)
        for name in columns
        for known in [table.select("row", "part", name).drop_nulls().sort("row")]
    }


def fill(table: pl.DataFrame, others: list[dict[str, pl.DataFrame]], columns: list[str], max_gap: int) -> pl.DataFrame:
    """Fill the gaps of `columns` in this rank's rows; `others` are the `edges` of every rank.

    A gap of at most `max_gap` rows between two known values of the same part is interpolated linearly; a value of a
    later part is never used, or the past would know the future. A longer gap repeats the last known value (of any
    earlier part); before the first known value stands that value. The column `<name>_short` says which rows are known
    or lie in a short gap.
    """
    for name in columns:
        known = pl.concat([edge[name] for edge in others]).unique()
        outside = known.join(table.select("row"), on="row", how="anti")
        both = pl.concat([table.select("row", "part", name), outside.select("row", "part", name)]).sort("row")
        row = pl.when(pl.col(name).is_not_null()).then(pl.col("row"))
        both = both.with_columns(
            row.forward_fill().over("part").alias("r0"),
            row.backward_fill().over("part").alias("r1"),
            pl.col(name).forward_fill().over("part").alias("v0"),
            pl.col(name).backward_fill().over("part").alias("v1"),
            pl.col(name).forward_fill().alias("last"),
        )
        width = (pl.col("r1") - pl.col("r0")).cast(pl.Float64)
        line = pl.col("v0") + (pl.col("v1") - pl.col("v0")) * (pl.col("row") - pl.col("r0")) / width
        short = (width > 0) & (pl.col("r1") - pl.col("r0") - 1 <= max_gap)
        first = known.sort("row")[name].first()
        value = pl.coalesce(pl.col(name), pl.when(short).then(line), pl.col("last"), pl.lit(first))
        known_or_short = pl.col(name).is_not_null() | short.fill_null(False)
        filled = both.select("row", value.alias(name), known_or_short.alias(f"{name}_short"))
        table = table.drop(name).join(filled, on="row", how="left", maintain_order="left")
    return table


def scale(table: pl.DataFrame, scaler: dict[str, tuple[float, float]]) -> pl.DataFrame:
    """Subtract the mean and divide by the standard deviation of the training part, column by column, as float32."""
    return table.with_columns(
        [((pl.col(name) - mean) / std).cast(pl.Float32).alias(name) for name, (mean, std) in scaler.items()]
    )
