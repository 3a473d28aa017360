"""Times that stand more than once: equal rows are one, all else is an error that says what it most likely is."""

from __future__ import annotations

import polars as pl

from deeprc.errors import InputError
from deeprc.forecasting.config import DataConfig
from deeprc.tabular import Table
from deeprc.tabular.zones import looks_like_autumn


def once(table: Table, frame: pl.DataFrame, config: DataConfig) -> pl.DataFrame:
    """`frame` with one row per `id` and `time`: of rows that are equal in every field the first stays.

    Raises
    ------
    InputError
        For a time that stands twice with different fields.
    """
    key = frame.select("id", "time")
    twice = key.is_duplicated()
    if not twice.any():
        return frame
    places = zip(table.columns, table.fields, strict=True)
    own = [column for name, column in places if name not in table.unnamed and not column.dtype.is_nested()]
    fields = pl.DataFrame([column.alias(str(i)) for i, column in enumerate(own)])
    first = fields.with_row_index("row").unique(fields.columns, keep="first")["row"]
    again = twice & ~pl.arange(len(frame), eager=True).is_in(first.to_list())
    if again.any():
        lines = _lines(table, again.arg_true().to_list())
        table.notices.append(f"rows that repeat another in every field, left out: {lines}")
    if key.filter(~again).is_duplicated().any():
        _refuse(table, key.with_columns(row=pl.arange(len(frame))).filter(~again), fields, config)
    return frame.filter(~again)


def _refuse(table: Table, key: pl.DataFrame, fields: pl.DataFrame, config: DataConfig) -> None:
    twice = key.filter(key.select("id", "time").is_duplicated())
    name, time = twice.row(0)[:2]
    rows = twice.filter(pl.col("id") == name, pl.col("time") == time)["row"].to_list()
    problem, fix = _cause(table, key, twice, fields, config)
    raise InputError(
        f"{twice.n_unique(['id', 'time']):,} {problem}",
        where=table.path,
        found=f"{time} on the {'rows' if table.lines is None else 'lines'} {_lines(table, rows)}",
        expected="one row per time" + (" in each series" if key["id"].n_unique() > 1 else ""),
        fix=fix,
    )


def _cause(
    table: Table, key: pl.DataFrame, twice: pl.DataFrame, fields: pl.DataFrame, config: DataConfig
) -> tuple[str, str]:
    if not config.time_zone and looks_like_autumn(twice["time"]):
        return (
            "times stand twice, with different values: an hour of autumn, in which clocks go back",
            "name the zone of these local times by the key 'time_zone', such as Europe/Berlin; "
            "or write the times with their offset or in UTC",
        )
    problem = "times stand more than once, with different values"
    if tells := _series_column(table, key, fields):
        return f"{problem}: several series in one file?", f"name the column that tells them apart: 'series': {tells!r}"
    return (
        problem,
        "where the rows are of several series, name their column by the key 'series'; else correct the times",
    )


def _series_column(table: Table, key: pl.DataFrame, fields: pl.DataFrame) -> str | None:
    """A column of few different values that, with the time, tells all rows apart."""
    names = [name for name in table.columns if name not in table.unnamed]
    for name, column in zip(names, fields[key["row"].to_list()], strict=False):
        if not 1 < column.n_unique() <= len(column) // 3:
            continue
        if not pl.DataFrame([key["time"].alias("time"), column.alias("own")]).is_duplicated().any():
            return name
    return None


def _lines(table: Table, rows: list[int], most: int = 6) -> str:
    shown = ", ".join(str(table.line(row)) for row in rows[:most])
    return shown + (f" and {len(rows) - most:,} more" if len(rows) > most else "")
