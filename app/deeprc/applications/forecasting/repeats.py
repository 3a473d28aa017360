"""Times that stand more than once: equal rows are one, all else is an error that says what it most likely is."""

from __future__ import annotations

import json

import polars as pl

from deeprc.applications.base.tabular import Table
from deeprc.applications.base.tabular.zones import looks_like_autumn, same_clock
from deeprc.applications.forecasting.config import DataConfig
from deeprc.core.errors import InputError

HOURS = (list(range(24)), list(range(1, 25)))


def once(table: Table, frame: pl.DataFrame, config: DataConfig, time: list[str]) -> pl.DataFrame:
    """`frame` with one row per `id` and `time`: of rows that are equal in every field the first stays.

    `time` are the columns that the times were read from.

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
        _refuse(table, key.with_columns(row=pl.arange(len(frame))).filter(~again), fields, config, time)
    return frame.filter(~again)


def _refuse(table: Table, key: pl.DataFrame, fields: pl.DataFrame, config: DataConfig, columns: list[str]) -> None:
    twice = key.filter(key.select("id", "time").is_duplicated())
    name, time = twice.row(0)[:2]
    rows = twice.filter(pl.col("id") == name, pl.col("time") == time)["row"].to_list()
    problem, fix = _cause(table, key, twice, fields, config, columns)
    raise InputError(
        f"{twice.n_unique(['id', 'time']):,} {problem}",
        where=table.path,
        found=f"{time} on the {'rows' if table.lines is None else 'lines'} {_lines(table, rows)}",
        expected="one row per time" + (" in each series" if key["id"].n_unique() > 1 else ""),
        fix=fix,
    )


def _cause(
    table: Table, key: pl.DataFrame, twice: pl.DataFrame, fields: pl.DataFrame, config: DataConfig, columns: list[str]
) -> tuple[str, str]:
    if not config.time_zone and looks_like_autumn(twice["time"]):
        return (
            "times stand twice, with different values: an hour of autumn, in which clocks go back",
            "name the zone of these local times by the key 'time_zone', such as Europe/Berlin; "
            "or write the times with their offset or in UTC",
        )
    problem = "times stand more than once, with different values"
    if tells := _series_column(table, key, fields):
        if _seems_hours(table, key, tells):
            both = json.dumps([*columns, tells], ensure_ascii=False)
            return (
                f"{problem}: an hour in a column of its own?",
                f"if {tells!r} is the hour of the day, name both columns: 'time': {both}; "
                f"if it tells series apart: 'series': {tells!r}",
            )
        return f"{problem}: several series in one file?", f"name the column that tells them apart: 'series': {tells!r}"
    return (
        problem,
        "where the rows are of several series, name their column by the key 'series'; else correct the times",
    )


def _series_column(table: Table, key: pl.DataFrame, fields: pl.DataFrame) -> str | None:
    """A column of few different values that, with the time, tells all rows apart."""
    places = zip(table.columns, table.fields, strict=True)
    names = [name for name, column in places if name not in table.unnamed and not column.dtype.is_nested()]
    for name, column in zip(names, fields[key["row"].to_list()], strict=True):
        if not 1 < column.n_unique() <= len(column) // 3:
            continue
        if (column.cast(pl.String, strict=False).str.strip_chars() == key["id"]).all():
            continue  # it is the one that is in use
        if not pl.DataFrame([key["time"].alias("time"), column.alias("own")]).is_duplicated().any():
            return name
    return None


def _seems_hours(table: Table, key: pl.DataFrame, name: str) -> bool:
    """Whether a column beside dates holds all hours of the day: 0 to 23, 1 to 24, or such as 01:00."""
    hour = table.words(name).str.extract(r"^([0-9]{1,2})(?::00)?$").cast(pl.Int64)
    return same_clock(key["time"]) and not hour.null_count() and hour.unique().sort().to_list() in HOURS


def _lines(table: Table, rows: list[int], most: int = 6) -> str:
    shown = ", ".join(str(table.line(row)) for row in rows[:most])
    return shown + (f" and {len(rows) - most:,} more" if len(rows) > most else "")
