"""Daily values of a table: what cannot be is refused with its line, what stands for a missing value is made one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from deeprc.applications.base.tabular import Table
from deeprc.applications.base.tabular.numbers import word
from deeprc.applications.base.tabular.sentinels import find_sentinel
from deeprc.applications.base.tabular.stray import refuse_stray
from deeprc.core.errors import InputError

# Litres per second of one unit of discharge; mm/day needs no area.
LITRES = {"m3/s": 1000.0, "l/s": 1.0, "ft3/s": 28.316846592, "ML/day": 1e6 / 86_400, "mm/day": 0.0}
CODES = (-999, -999.9, -999.99, -9999, -9999.9, -9999.99, -99_999, -32_768)  # of loggers and archives: never a value
MORE_CODES = (-99, -99.9, -99.99)  # for what is never negative, or in °C: no weather is below -90
RAIN = re.compile(r"prec|prcp|rain|^p$|niederschlag|pluie|snowfall", re.IGNORECASE)
TEMPERATURE = re.compile(r"temp|^t(max|min|mean|avg|a|as)?$|\((°|deg)?c\)|°c", re.IGNORECASE)
MOST = {"rain": 2500.0, "temperature": 400.0, "other": 1e12}  # mm a day (the record is 1,825); kelvin, too
ROUNDING = -0.01  # rain that reanalyses have a little below 0
LARGEST_BASIN = 8e6  # km2: the Amazon's has 6 or 7 million
TWO_DIGITS = r"^(?:\d{1,2}[./-]\d{1,2}[./-]\d{2}(?:\D.*)?|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2}|\d{6})$"
IDS = {"gauge_id", "gauge", "basin", "basin_id", "station", "station_id", "site", "site_no", "catchment", "id"}


def days(table: Table, names: str | Sequence[str], form: str | None = None) -> pl.Series:
    """The day of each row.

    Raises
    ------
    InputError
        For years of two digits without `form`, for times within a day, and for rows that are not daily.
    """
    names = [names] if isinstance(names, str) else list(names)
    year = table.fields[table.columns.index(table.find(names[0]))]
    if not form and year.dtype == pl.String:
        several = len(names) > 1
        two = year.str.strip_chars().str.contains(r"^\d{2}$" if several else TWO_DIGITS)
        if two.fill_null(False).all():
            day_first = year.str.extract(r"^(\d{1,2})").cast(pl.Int32, strict=False).max() > 12
            marks = {".": "%d.%m.%y", "/": "%d/%m/%y" if day_first else "%m/%d/%y", "-": "%y-%m-%d", "": "%y%m%d"}
            example = "%y %m %d" if several else next(form for mark, form in marks.items() if mark in year[0])
            example = "%d-%b-%y" if not several and re.search("[A-Za-z]", year[0]) else example
            raise InputError(
                "the years have two digits: their century is not said",
                where=table.where(0, names[0]),
                found=repr(year[0]),
                expected="years of four digits",
                fix=f"write them with four, or give the key 'time_format', such as {example!r}: 70 is 1970, 69 is 2069",
            )
        offset = year.str.contains(r"\d{2}:\d{2}.*(?:[+-](?:0[1-9]|1\d)(?::?\d{2})?)$").fill_null(False)
        if not several and offset.any():
            row = int(offset.arg_max())
            raise InputError(
                "a day with the offset of a time zone: as UTC it could be another day",
                where=table.where(row, names[0]), found=repr(year[row]), fix="write the day alone, as 2000-12-31",
            )  # fmt: skip
    zoned = isinstance(year.dtype, pl.Datetime) and year.dtype.time_zone and len(names) == 1
    # A Parquet file's times with a zone: their days are those of the zone, not UTC's.
    times = year.dt.replace_time_zone(None) if zoned and not year.null_count() else table.times(names, form)
    refuse_stray(table, pl.repeat("", len(times), eager=True), times, names)
    found = times.dt.date()
    clocks = times.dt.time().unique()
    if len(clocks) > 1:
        row = int((times.dt.time() != times.dt.time()[0]).arg_max())
        raise InputError(
            "times within the day, where the pipeline is daily",
            where=table.where(row, " ".join(names)),
            found=f"{len(times):,} rows of {found.n_unique():,} days, {times[row]}",
            expected="one row per day",
            fix="make daily sums and means of the values, and name that file",
        )
    if not form and year.dtype == pl.String and year.str.contains(r"[T ]24:00(:00)?\s*$").all():
        found = found.dt.offset_by("-1d")
        table.notices.append("every row is of 24:00: taken as the day that ends then")
    elif str(clocks[0]) != "00:00:00":
        table.notices.append(f"every row is of {clocks[0]}: taken as the day that this time is in")
    if found.dt.year().min() < 1600:
        row = int(found.arg_min())
        raise InputError("no year that was measured", where=table.where(row, " ".join(names)), found=str(found[row]))
    return found.alias("date")


def in_order(table: Table, basin: str, day: pl.Series, columns: Sequence[pl.Series]) -> pl.DataFrame:
    """`basin`, `date`, the columns and `line` (of the table; of Parquet the row; from 1), sorted by day.

    Raises
    ------
    InputError
        Where a day stands twice, or most days are further apart than one.
    """
    lines = table.numbered()
    repeated = pl.DataFrame([day, lines]).filter(day.is_duplicated()).sort("date", "line")
    if repeated.height:
        first = repeated["date"][0]
        named = [str(line) for line in repeated.filter(pl.col("date") == first)["line"]]
        raise InputError(
            f"the date {first} stands {len(named)} times",
            where=f"{table.path}:{named[0]}",
            found=f"lines {', '.join(named[:5])}; {repeated['date'].n_unique()} dates are repeated in all",
            expected="each date once",
            fix="mend the dates; rows of several basins need their column (dataset csv, key 'columns': basin)",
        )
    frame = pl.DataFrame([day, *columns, lines]).select(pl.lit(basin).alias("basin"), pl.all()).sort("date")
    if frame.height > 2 and (step := frame["date"].diff().median()).days > 1:
        raise InputError(
            "the rows are not daily", where=table.path, found=f"mostly {step.days} days from one to the next",
            expected="one row per day",
        )  # fmt: skip
    note_leap_days(table, frame["date"])
    return frame


def note_leap_days(table: Table, day: pl.Series) -> None:
    """Say it where a calendar of 365 days has left out a day of every leap year."""
    span = pl.select(pl.date_range(day.min(), day.max())).to_series()
    lost = span.filter(~span.is_in(day.implode()))
    for month, number, name in ((2, 29, "29 February"), (12, 31, "31 December")):
        leap = span.filter(span.dt.is_leap_year() & (span.dt.month() == month) & (span.dt.day() == number))
        if len(leap) > 1 and leap.is_in(lost.implode()).all() and len(lost) <= 2 * len(leap):
            table.notices.append(
                f"{name} is missing in all {len(leap)} leap years (a calendar of 365 days?): windows that cross it "
                "are left out"
            )


def weather(table: Table, column: str, name: str) -> pl.Series:
    """An input, null where it is missing.

    Raises
    ------
    InputError
        For rain below 0, for what is larger than any weather, and for a column without any value.
    """
    found = table.find(column)
    kind = next((kind for kind, words in (("rain", RAIN), ("temperature", TEMPERATURE))
                 if words.search(name) or words.search(column)), "other")  # fmt: skip
    series = _without_codes(table, found, CODES if kind == "other" else CODES + MORE_CODES)
    _refuse_all_missing(table, found, series)
    if kind == "rain":
        if (tiny := (series < 0) & (series >= ROUNDING)).any():
            series = series.set(tiny.fill_null(False), 0.0)
            table.notices.append(
                f"what is a little below 0 in {found!r} is read as 0: {tiny.sum()} of {len(series)} days"
            )
        _refuse(table, found, series, series < 0, "rain below 0")
    _refuse(table, found, series, series.abs() > MOST[kind], "larger than any " + ("weather", kind)[kind != "other"])
    return series.alias(name)


def refuse_answer(table: Table, inputs: Mapping[str, str], discharge: str) -> None:
    """Refuse an input that is the column of the discharge, however the two are spelt."""
    for name, column in inputs.items():
        if table.find(column) == table.find(discharge):
            raise InputError(
                f"the input {name!r} is the discharge: the network would see the answer",
                where=table.where(name=table.find(discharge)), fix="give this input another column",
            )  # fmt: skip


def flow(table: Table, column: str) -> pl.Series:
    """The discharge in the file's unit, null where it is missing.

    Raises
    ------
    InputError
        For discharge below 0, no discharge at all, or one that never changes.
    """
    found = table.find(column)
    series = _without_codes(table, found, CODES + MORE_CODES)
    if series.null_count() == len(series):
        raise InputError(
            "all discharge values are missing",
            where=table.where(name=found),
            found=f"{len(series)} days without a value",
            expected="observed discharge to train and to test on",
            fix="leave this basin out (key 'basins'), or mend its file",
        )
    _refuse(table, found, series, series < 0, "discharge below 0")
    _refuse(table, found, series, series > MOST["other"], "larger than any discharge")
    known = series.drop_nulls()
    if len(known) > 1 and known.min() == known.max():
        raise InputError(
            "the discharge never changes: there is nothing to learn",
            where=table.where(name=found),
            found=f"{known[0]:g} on all {len(known)} days",
            fix="leave this basin out (key 'basins'), or mend its file",
        )
    return series


def depth(discharge: pl.Series, unit: str, area: float) -> pl.Series:
    """mm/day over `area` (km2): 1 litre on 1 m2 is 1 mm."""
    return discharge * LITRES[unit] * 86_400 / (area * 1e6)


def area(value: float, where: object, unit: str = "km2") -> float:
    """A catchment area in km2, given in `unit` (km2 or m2).

    Raises
    ------
    InputError
        For one of 0, and for one that was written in the other unit.
    """
    size = value / 1e6 if unit == "m2" else value
    if not 0 < size < float("inf"):
        raise InputError("an area of 0 or below", where=where, found=value, expected=f"the catchment's area in {unit}")
    if size > LARGEST_BASIN:
        raise InputError(
            "larger than any river basin: m2 in place of km2?", where=where, found=f"{size:,.0f} km2",
            expected=f"the catchment's area in {unit} (the Amazon's is 6 million km2)",
        )  # fmt: skip
    if unit == "m2" and size < 0.1:
        raise InputError(
            "smaller than any gauged basin: km2 in place of m2?", where=where, found=f"{value:g} m2",
            expected="the catchment's area in m2",
        )  # fmt: skip
    return size


def refuse_another_gauge(table: Table, basin: str, basins: Collection[str]) -> None:
    """Refuse a table whose own column of gauges names another basin of the data, or several."""
    for name in table.columns:
        if name.casefold() not in IDS:
            continue
        said = table.text(name).drop_nulls().unique(maintain_order=True).to_list()
        others = [gauge for gauge in said if gauge != basin and gauge in basins]
        if others or 1 < len(said) < len(table) / 2:
            raise InputError(
                "rows of several gauges" if len(said) > 1 else "the file of another gauge",
                where=table.where(name=name),
                found=", ".join(said[:5]),
                expected=basin,
                fix="name that column (dataset csv, key 'columns': basin)" if len(said) > 1 else "mend the file's name",
            )
        if said and basin not in said:
            table.notices.append(f"the column {name!r} says {said[0]!r}")


def rows_of(table: Table, column: str, basin: str) -> Table:
    """The rows whose `column` names `basin`."""
    return table.of_rows(table.words(column) == basin)


def _without_codes(table: Table, name: str, codes: Sequence[float]) -> pl.Series:
    series = table.numbers(name)
    coded = series.is_in([float(code) for code in codes]).fill_null(False)
    if coded.any():
        said = ", ".join(f"{value:g}" for value in series.filter(coded).unique().sort())
        table.notices.append(f"{said} in {name!r} is read as missing: {coded.sum()} of {len(series)} days")
        series = series.set(coded, None)
    while sentinel := find_sentinel(series):
        if sentinel.kind == "likely":
            raise InputError(
                "does this number mean a missing value?",
                where=table.where(int((series == sentinel.value).fill_null(False).arg_max()), name),
                found=str(sentinel),
                fix=f"say so by the key 'missing': [{word(sentinel.value)}]; if it is a value, correct it",
            )
        if sentinel.kind == "odd":
            table.notices.append(
                f"far away in {name!r}: {sentinel}; is it missing? then 'missing': [{word(sentinel.value)}]"
            )
            break
        table.notices.append(f"read as missing in {name!r}: {sentinel}")
        series = series.set(series == sentinel.value, None)
    return series


def _refuse_all_missing(table: Table, name: str, series: pl.Series) -> None:
    if series.null_count() == len(series):
        raise InputError(
            "an input without any value", where=table.where(name=name), found=f"{len(series)} days without a value",
            fix="leave this input out (dataset csv, key 'columns'), or this basin (key 'basins')",
        )  # fmt: skip


def _refuse(table: Table, name: str, series: pl.Series, bad: pl.Series, problem: str) -> None:
    bad = bad.fill_null(False)
    if bad.any():
        row = int(bad.arg_max())
        raise InputError(
            problem,
            where=table.where(row, name),
            found=f"{series[row]:g}" + (f" ({bad.sum()} such values in all)" if bad.sum() > 1 else ""),
            fix=f"mend the value; where it means a missing one, add the key 'missing': [{series[row]:g}]",
        )
