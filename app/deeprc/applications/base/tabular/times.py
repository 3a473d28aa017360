"""Times as people write them, read where day, month and zone are certain over all rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from deeprc.applications.base.tabular.forms import (
    COUNTS,
    FORMS,
    NAMED,
    UNITS,
    WEEK,
    counted,
    is_hhmm,
    strptime,
    time_of,
)
from deeprc.applications.base.tabular.numbers import tidy
from deeprc.applications.base.tabular.zones import same_clock, to_utc
from deeprc.core.errors import InputError

if TYPE_CHECKING:
    from deeprc.applications.base.tabular.table import Table

EXAMPLES = "a time such as 2020-12-31 13:00, 2020-12-31T13:00Z, 31.12.2020 13:00 or 2020-12-31"


@dataclass(frozen=True)
class Clock:
    """What is known about the times: form, zone and series, as `Table.times` describes them."""

    form: str | None = None
    zone: str | None = None
    by: pl.Series | None = None


def to_times(table: Table, names: list[str], columns: list[pl.Series], clock: Clock) -> pl.Series:
    """See `Table.times`."""
    name = " ".join(names)
    if len(columns) == 1 and columns[0].dtype.is_temporal():
        times, aware = _typed(table, name, columns[0])
    else:
        text = _joined(columns, clock.form) if len(columns) > 1 else tidy(columns[0].cast(pl.String))
        if (blank := (text.is_null() | (text == ""))).any():
            _refuse(table, name, text, blank, "a time is missing", fix=_cure_blank(table, blank))
        times, aware = _of_form(table, name, text, clock.form) if clock.form else _found(table, name, text)
    if clock.zone and not aware:
        times = to_utc(table, name, times, clock.zone, clock.by)
    times = times.cast(pl.Datetime("us"))
    if (beyond := ~times.dt.year().is_between(1, 9999)).any():
        text = columns[0].cast(pl.String)
        _refuse(table, name, text, beyond, "not a date", expected="a year from 1 to 9999", fix="correct the date")
    return times


def seems_times(column: pl.Series) -> bool:
    """Whether the first values of a column are times written as more than mere numbers."""
    if column.dtype != pl.String:
        return column.dtype in (pl.Date, pl.Datetime)
    text = tidy(column[:50]).drop_nulls()
    if text.is_empty() or not text.cast(pl.Float64, strict=False).null_count():
        return False
    if any(text.str.contains(pattern).all() for pattern in FORMS.values()):
        return True
    return text.str.contains("[A-Za-z]{3}").all() and any(
        not strptime(text.str.replace_all(",", ""), form).null_count() for form in NAMED
    )


def _joined(columns: list[pl.Series], form: str | None) -> pl.Series:
    """Year, month and day as one date, hour, minute and second as one clock; anything else with blanks between.

    Hour and minute may be one number (hhmm). Where the form is known it is that of all with blanks between.
    """
    texts = [tidy(column.cast(pl.String)).str.replace(r"\.0$", "") for column in columns]
    short = [text.str.contains(r"^[0-9]{1,2}$").all() for text in texts]
    days, whole = 1, True
    if texts[0].str.contains(r"^[0-9]{4}$").all():
        days = next((i for i, is_short in enumerate(short[1:3], 1) if not is_short), min(3, len(texts)))
        whole = days == 3
    date = pl.concat_str(texts[:days], separator="-")
    rest = texts[days:]
    if form:
        return pl.select(pl.concat_str(texts, separator=" ")).to_series()
    if rest and all(short[days:]) and not short[0]:
        clock = [*(text.str.zfill(2) for text in rest), *[pl.lit("00")] * (len(rest) == 1)]
        rest = [pl.concat_str(clock, separator=":")]
    elif len(rest) == 1 and whole and is_hhmm(rest[0]):
        rest = [rest[0].str.zfill(4).str.replace("(..)$", ":$1")]
    return pl.select(pl.concat_str([date, *rest], separator=" ")).to_series()


def _typed(table: Table, name: str, column: pl.Series) -> tuple[pl.Series, bool]:
    if column.null_count():
        _refuse(table, name, column.cast(pl.String), column.is_null(), "a time is missing", fix="write it")
    if column.dtype == pl.Date:
        return column.cast(pl.Datetime("us")), False
    if not isinstance(column.dtype, pl.Datetime):
        raise InputError("no times", where=table.where(name=name), found=f"type {column.dtype}", expected="a datetime")
    if column.dtype.time_zone is None:
        return column, False
    local = column.dt.replace_time_zone(None)
    if same_clock(local):
        return local, True
    table.notices.append(f"the times in {name!r} have a zone, {column.dtype.time_zone}: they are read as UTC")
    return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None), True


def _found(table: Table, name: str, text: pl.Series) -> tuple[pl.Series, bool]:
    """The times of the first form that every row has; the name of a weekday before it says nothing new."""
    text = text.str.replace(r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +", "")
    best, share = None, 0.0
    for form, pattern in FORMS.items():
        matches = text.str.contains(pattern)
        if matches.all():
            parts = text.str.extract_groups(pattern).struct.unnest()
            if form == "parts":
                parts = _order(table, name, text, parts)
            times, bad = time_of(parts)
            if form == "compact" and bad.any() and text.str.contains(r"^[0-9]{10}$").all():
                break  # seconds since 1970
            if bad.any():
                _refuse(table, name, text, bad, "not a date", expected=EXAMPLES, fix="correct the date")
            return _without_offset(table, name, text, parts, times)
        if matches.mean() > share:
            best, share = matches, matches.mean()
    if (since := _since_1970(table, name, text)) is not None:
        return since, True
    if text.str.contains(WEEK).all():
        days = text.str.replace(WEEK, "${1}-W${2}-1").str.to_date("%G-W%V-%u", strict=False).cast(pl.Datetime("us"))
        if not days.null_count():
            return days, False
    for form in NAMED:
        times = strptime(text.str.replace_all(",", ""), form)
        if not times.null_count():
            return times, False
        if 1 - times.null_count() / len(times) > share:
            best, share = times.is_not_null(), 1 - times.null_count() / len(times)
    bad = ~best if best is not None and share >= 0.5 else pl.repeat(True, len(text), eager=True)
    _refuse(table, name, text, bad, "not a date", expected=EXAMPLES, fix=_cure(table, text, bad))
    raise AssertionError


def _cure_blank(table: Table, blank: pl.Series) -> str:
    units = blank[0] and blank.sum() == 1 and len(blank) > 1 and table.lines is not None
    return f"if line {table.line(0)} is one of units, put # before it; else " * units + "write the time of this row"


def _cure(table: Table, text: pl.Series, bad: pl.Series) -> str:
    row = int(bad.arg_max())
    found = text[row]
    if row == 0 and bad.sum() == 1 and len(text) > 1 and table.lines is not None:
        return f"if line {table.line(0)} is one of units, put # before it; else correct the date"
    if re.search(r"[0-9] [A-Z]{3,5}$", found):
        return "write the zone as an offset from UTC, such as +01:00 for CET; or leave it out and give 'time_zone'"
    number = pl.Series([found]).str.replace(",", ".").cast(pl.Float64, strict=False)[0]
    if number is not None and 15_000 <= number < 80_000:
        day = pl.select(pl.date(1899, 12, 30) + pl.duration(days=int(number)))[0, 0]
        return f"a number as Excel keeps dates ({day})? then give the key 'time_format': excel; or save dates as text"
    if number is not None:
        key = table.options.time_key
        named = f"name the column of the times by the key {key}; " if key else ""
        return named + "a count of seconds: 'time_format': s (ms, us, ns)"
    return "correct the date, or describe the form by the key 'time_format', such as '%d.%m.%y %H:%M'"


def _order(table: Table, name: str, text: pl.Series, parts: pl.DataFrame) -> pl.DataFrame:
    """Whether day or month stands first: with points the day; else what any row proves."""
    first, second = (parts[part].cast(pl.Int32) for part in ("first", "second_part"))
    day_first, month_first = (first > 12), (second > 12)
    if day_first.any() and month_first.any():
        a, b = int(day_first.arg_max()), int(month_first.arg_max())
        raise InputError(
            "day and month stand in different order",
            where=table.where(max(a, b), name),
            found=f"{text[max(a, b)]!r}, and {text[min(a, b)]!r} in line {table.line(min(a, b))}",
            expected="one order in all rows",
            fix="correct the dates; 2020-12-31 can be misread by nobody",
        )
    points = text.str.contains(r"^[0-9]{1,2}\.").all()
    if not day_first.any() and not month_first.any() and not points:
        raise InputError(
            "day and month cannot be told apart: in no row either is greater than 12",
            where=table.where(0, name),
            found=repr(text[0]),
            fix="say which stands first by the key 'time_format', such as '%d/%m/%Y %H:%M' or '%m/%d/%Y'",
        )
    order = ("month", "day") if month_first.any() and not points else ("day", "month")
    return parts.rename(dict(zip(("first", "second_part"), order, strict=True)))


def _without_offset(
    table: Table, name: str, text: pl.Series, parts: pl.DataFrame, times: pl.Series
) -> tuple[pl.Series, bool]:
    """Without the offset: as they stand where it is always the same or days are counted, else in UTC."""
    if "zone" not in parts.columns or parts["zone"].null_count() == len(parts):
        return times, False
    if parts["zone"].null_count():
        none = parts["zone"].is_null()
        bad = none if none.mean() <= 0.5 else ~none
        _refuse(table, name, text, bad, "some times have an offset and some have none", fix="write it in every row")
    zone = pl.col("zone").str.replace(r"^(?:[Zz]|UTC|GMT)$", "+0000").str.replace(":", "").str.pad_end(5, "0")
    number = zone.cast(pl.Int32)
    minutes = parts.select(number.sign() * (number.abs() // 100 * 60 + number.abs() % 100)).to_series()
    if minutes.n_unique() == 1 or same_clock(times):
        return times, True
    table.notices.append(f"the times in {name!r} have offsets that differ: they are read as UTC")
    return pl.select(times - pl.duration(minutes=minutes)).to_series(), True


def _since_1970(table: Table, name: str, text: pl.Series) -> pl.Series | None:
    """Counts of seconds or parts of it, told by their number of digits."""
    digits = text.str.extract(r"^([0-9]+)(?:\.0*)?$").str.len_chars()
    if digits.null_count() or digits.n_unique() > 1 or digits[0] not in UNITS:
        return None
    unit = UNITS[digits[0]]
    table.notices.append(f"the numbers in {name!r} are read as {unit} since 1970, in UTC")
    return _of_form(table, name, text, unit)[0]


def _of_form(table: Table, name: str, text: pl.Series, form: str) -> tuple[pl.Series, bool]:
    """The times in the form that the user gave."""
    if form in COUNTS:
        times, aware = counted(text, form), form != "excel"
    else:
        try:
            times = strptime(text, form)
        except pl.exceptions.PolarsError as error:
            where = "key 'time_format'"
            raise InputError(f"no form of a time: {form!r}", where=where, found=str(error).splitlines()[0]) from None
        aware = times.dtype.time_zone is not None
        if aware:
            times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if times.null_count():
        expected = f"a time in the form {form!r} (key 'time_format')"
        _refuse(table, name, text, times.is_null(), "not a date", expected=expected, fix="correct the date or the key")
    return times, aware


def _refuse(table: Table, name: str, text: pl.Series, bad: pl.Series, problem: str, **more: str) -> None:
    row = int(bad.arg_max())
    count = f" (and {bad.sum() - 1} more)" if bad.sum() > 1 else ""
    raise InputError(f"{problem}{count}", where=table.where(row, name), found=repr(text[row]), **more)
