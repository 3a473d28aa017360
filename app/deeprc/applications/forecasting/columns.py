"""Which column of a user's table is what: the time, the series, the target and the covariates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import polars as pl

from deeprc.applications.base.tabular import Table
from deeprc.applications.base.tabular.forms import is_hhmm
from deeprc.applications.base.tabular.header import shortened
from deeprc.applications.base.tabular.times import seems_times
from deeprc.applications.forecasting.config import DataConfig
from deeprc.core.errors import InputError

WIND = ["NE", "NW", "SE", "cv"]
TIMES = ("time", "date", "datetime", "date_time", "date time", "timestamp", "ds", "datum", "zeit", "zeitstempel")
PARTS = ("year", "month", "day", "hour", "minute", "second")
_DIGITS = r"[0-9.,'’_ \x{a0}\x{202f}]*[0-9][0-9.,'’_ \x{a0}\x{202f}]*"
_NUMBER = rf"^[-+−–]?{_DIGITS}(?:[eE][-+−]?[0-9]+)?\s*%?$|^(?i:true|false)$"


@dataclass(frozen=True)
class KnownDataset:
    """What is known about a public data set.

    Attributes
    ----------
    time
        The columns that together hold the time.
    target, unit
        The default column to forecast and its unit.
    covariates
        The columns used as covariates of the past; None: all others that hold numbers.
    categories
        Column -> its values: each becomes a covariate of 0 and 1.
    name
        What the data are called.
    columns
        The columns by which the set's files are recognised; for other files, name and unit are not stated.
    """

    name: str
    time: list[str]
    target: str
    unit: str
    covariates: list[str] | None = None
    categories: dict[str, list[str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


LAYOUTS = {
    "beijing": KnownDataset(
        "Beijing PM2.5",
        ["year", "month", "day", "hour"],
        "pm2.5",
        "µg/m³",
        ["DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"],
        {"cbwd": WIND},
    ),
    "ett": KnownDataset("ETT", ["date"], "OT", "°C", columns=("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")),
}


@dataclass(frozen=True)
class Roles:
    """The columns by their role, as the file names them; `chosen`: whether the user named the covariates."""

    time: list[str]
    target: str
    series: str | None
    covariates: list[str]
    chosen: bool


def assign(table: Table, config: DataConfig) -> Roles:
    """The role of each column: from the configuration, else from the known data set, else from an unambiguous file.

    The table's notices name the columns left out because they have no name, no numbers or no values.

    Raises
    ------
    InputError
        For a column that is missing, has two roles, or where the time or the target is not certain.
    """
    layout = LAYOUTS.get(config.dataset)
    names = [config.time] if isinstance(config.time, str) else config.time or (layout.time if layout else None)
    series = table.find(config.series) if config.series else ("unique_id" if "unique_id" in table.columns else None)
    time = [table.find(name) for name in names] if names else _find_time(table, series)
    taken = [*time, *filter(None, [series])]
    target = config.target or (layout.target if layout else None)
    target = table.find(target) if target else _find_target(table, taken)
    named = config.covariates if config.covariates is not None else layout.covariates if layout else None
    taken.append(target)
    if named is None:
        return Roles(time, target, series, _others(table, taken, series), False)
    covariates = [table.find(name) for name in named]
    if config.covariates is None:
        covariates = [name for name in covariates if name != target]
    every = [*taken, *covariates]
    if twice := [name for name in every if every.count(name) > 1]:
        raise InputError(
            f"the column {twice[0]!r} has two roles",
            where=table.path,
            found=f"time {', '.join(time)}; target {target}; series {series}; covariates {', '.join(covariates)}",
            fix="name each column once by the keys 'time', 'target', 'series' and 'covariates'",
        )
    return Roles(time, target, series, covariates, config.covariates is not None)


def _find_time(table: Table, series: str | None) -> list[str]:
    """The column named like a time, or the only one that holds times; or the columns year, month and day."""
    called = [name for name in table.columns if _bare(name) in TIMES and table.columns.count(name) == 1]
    if len(called) == 2 and (
        table.words(called[1]).str.contains(r"^[0-9]{1,2}:[0-9]{2}").all() or is_hhmm(table.words(called[1]))
    ):
        return called
    if len(called) == 1:
        return [*called, *_clock(table, called[0])]
    folded = {name.casefold(): name for name in table.columns}
    if not called and {"year", "month"} <= folded.keys():
        parts = []
        for part in PARTS:
            if part not in folded:
                break
            parts.append(folded[part])
        return parts
    places = zip(table.columns, table.fields, strict=True)
    times = [name for name, column in places if name != series and seems_times(column)]
    if called:
        times = [name for name in called if name in times]
    if len(times) == 1:
        table.notices.append(f"the times are those of the column {times[0]!r}")
        return times
    raise InputError(
        "which column holds the times cannot be told",
        where=table.path,
        found=shortened(times or table.columns),
        expected="one column called time or date",
        fix="name it by the key 'time'",
    )


def _bare(name: str) -> str:
    """`<DATE>` and `Date (UTC)` without brackets and additions, so that only the name is compared."""
    return re.sub(r"\s*[(\[][^)\]]*[)\]]$", "", name.casefold().strip("<># ")).strip()


def _clock(table: Table, date: str) -> list[str]:
    """The columns of the hour and the minute, where the date has none."""
    if table.words(date).str.contains(r"[T:]|[0-9] [0-9]").any():
        return []
    found = [name for name in table.columns if name.casefold() in ("hhmm", "hour") and is_hhmm(table.words(name))]
    if len(found) == 1:
        table.notices.append(f"the times are those of the columns {date}, {found[0]} (hours and minutes)")
        return found
    found = []
    for part, most in (("hour", 24), ("minute", 59)):
        names = [name for name in table.columns if name.casefold() == part]
        if (
            len(names) != 1
            or not (number := table.words(names[0]).cast(pl.Int64, strict=False)).is_between(0, most).all()
        ):
            break
        if number.null_count():
            break
        found += names
    if found:
        table.notices.append(f"the times are those of the columns {', '.join([date, *found])}")
    return found


def _find_target(table: Table, taken: list[str]) -> str:
    if "y" in table.columns:
        return table.find("y")
    numbers = _others(table, taken, None, quietly=True)
    if len(numbers) == 1:
        return numbers[0]
    raise InputError(
        "which column is to be forecast cannot be told",
        where=table.path,
        found=shortened(numbers or table.columns),
        fix="name it by the key 'target'",
    )


def _others(table: Table, taken: list[str], series: str | None, *, quietly: bool = False) -> list[str]:
    """The other columns that hold numbers; the table's notices say why the rest is left out."""
    used, without, counting, empty, wordy = [], [], [], [], []
    ids = table.words(series) if series else None
    for name, column in zip(table.columns, table.fields, strict=True):
        if name in taken:
            continue
        if name in table.unnamed:
            without.append(name)
        elif _empty(table, name, column):
            empty.append(name)
        elif seems_times(column) or not _numeric(table, name, column):
            wordy.append(name)
        elif _counts_rows(column, ids):
            counting.append(name)
        else:
            used.append(name)
    reasons = (
        ("without a name", without),
        ("without any value", empty),
        ("of words or times", wordy),
        ("that only count the rows (key 'covariates' takes them all the same)", counting),
    )
    if not quietly:
        table.notices.extend(f"columns left out, {why}: {shortened(which)}" for why, which in reasons if which)
    return used


def _empty(table: Table, name: str, column: pl.Series) -> bool:
    known = table.text(name) if column.dtype == pl.String else column
    return known.null_count() == len(known)


def _numeric(table: Table, name: str, column: pl.Series) -> bool:
    """Whether any value of the column is a number: then other values are errors, and the column is not one of words."""
    if column.dtype == pl.String:
        return bool(table.text(name).str.contains(_NUMBER).any())
    return column.dtype.is_numeric() or column.dtype == pl.Boolean


def _counts_rows(column: pl.Series, ids: pl.Series | None) -> bool:
    """Whether the numbers go up by one from row to row, in the file or in each series: an index, not a measurement."""
    number = column.cast(pl.Int64, strict=False) if column.dtype == pl.String else column
    if not number.dtype.is_integer() or number.null_count() or len(number) < 3:
        return False
    if (number.cast(pl.Int64).diff().drop_nulls() == 1).all():
        return True
    if ids is None:
        return False
    steps = pl.select(number.cast(pl.Int64).alias("n"), ids.alias("id")).select(pl.col("n").diff().over("id"))
    return bool((steps.to_series().drop_nulls() == 1).all())
