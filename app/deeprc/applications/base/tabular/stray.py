"""Dates that are out of line: a wrong year amid a file in order, told with its line."""

from __future__ import annotations

import polars as pl

from deeprc.applications.base.tabular.table import Table
from deeprc.core.errors import InputError

FAR = 10  # times the longest gap between all other times
FEW = 100  # one row in so many may be out of line; where there are more, something else is wrong


def refuse_stray(table: Table, ids: pl.Series, time: pl.Series, columns: list[str]) -> None:
    """Raise an InputError for times far from those of the rows around them, where all other rows stand in order.

    A few rows that merely come late are no error; nor is a time far away at a file's begin or end, which may be right.
    """
    rows = pl.DataFrame({"id": ids, "time": time}).with_row_index("row")
    turns = rows.select("id", (pl.col("time").diff().over("id") < pl.duration()).alias("back"))
    for (name,) in turns.filter("back").select("id").unique(maintain_order=True).iter_rows():
        series = rows.filter(pl.col("id") == name)
        low, high = _sides(series.sort("time"))
        few, rest = (low, high) if len(low) < len(high) else (high, low)
        rest = rest.sort("row")
        gaps = rest["time"].diff().drop_nulls().dt.total_microseconds()
        if gaps.is_empty() or len(few) > max(1, len(series) // FEW) or not ((gaps > 0).all() or (gaps < 0).all()):
            continue
        within = few["row"].is_between(rest["row"][0], rest["row"][-1]).all()
        apart = (high["time"].min() - low["time"].max()).total_seconds() * 1e6
        if within and apart > FAR * gaps.abs().max():
            row = few["row"].min()
            more = f" (and {len(few) - 1} more)" if len(few) > 1 else ""
            around = rest.filter(pl.col("row") < row)["time"][-1], rest.filter(pl.col("row") > row)["time"][0]
            raise InputError(
                f"a date out of line{more}",
                where=table.where(row, " ".join(columns)),
                found=str(series.filter(pl.col("row") == row)["time"].item()),
                expected=f"a time between those of the rows around it, {around[0]} and {around[1]}",
                fix="correct the date",
            )


def _sides(series: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows before and after the longest gap."""
    cut = int(series["time"].diff().arg_max())
    return series[:cut], series[cut:]
