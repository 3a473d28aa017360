"""The forms that times are written in, and the times that they mean."""

from __future__ import annotations

import polars as pl

_CLOCK = (
    r"(?:[T ,]+(?P<hour>[0-9]{1,2})"
    r"(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
)
_ZONE = r"(?: ?(?P<zone>Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?))?$"
FORMS = {
    "iso": r"^(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})[-/.](?P<day>[0-9]{1,2})" + _CLOCK + _ZONE,
    "compact": r"^(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
    r"(?:[T _-]?(?P<hour>[0-9]{2})(?::?(?P<minute>[0-9]{2})(?::?(?P<second>[0-9]{2}))?)?)?" + _ZONE,
    "month": r"^(?P<year>[0-9]{4})[-/M](?P<month>[0-9]{1,2})$",
    "quarter": r"^(?P<year>[0-9]{4})[- ]?Q(?P<quarter>[1-4])$",
    "year": r"^(?P<year>[0-9]{4})$",
    "parts": r"^(?P<first>[0-9]{1,2})[-/.](?P<second_part>[0-9]{1,2})[-/.](?P<year>[0-9]{4})" + _CLOCK + _ZONE,
}
# Forms with the names of months, in English.
NAMED = [
    *("%b %Y", "%B %Y", "%b-%Y"),
    *(
        f"{date}{clock}"
        for date in ("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d/%b/%Y")
        for clock in (" %H:%M:%S", " %H:%M", "")
    ),
]
WEEK = r"^([0-9]{4})-?W([0-9]{2})$"  # of ISO 8601: its Monday
UNITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}  # digits of a count since 1970, in this century
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
COUNTS = {**PER_SECOND, "excel": 0}


def time_of(parts: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The times that numbers make, and which rows make none (30 February, 25:00; 24:00 is the next day's begin)."""
    blank = pl.lit(None, dtype=pl.String)
    value = {
        part: (pl.col(part) if part in parts.columns else blank).cast(pl.Int32).fill_null(default)
        for part, default in (("year", 0), ("month", 1), ("day", 1), ("hour", 0), ("minute", 0), ("second", 0))
    }
    if "quarter" in parts.columns:
        value["month"] = pl.col("quarter").cast(pl.Int32) * 3 - 2
    hour = value["hour"]
    if "half" in parts.columns:
        late = pl.col("half").str.to_lowercase() == "p"
        hour = pl.when(pl.col("half").is_null()).then(hour).otherwise(hour % 12 + pl.when(late).then(12).otherwise(0))
    good = (value["year"] >= 1) & value["month"].is_between(1, 12)
    month = pl.when(good).then(value["month"]).otherwise(1)
    year = pl.when(good).then(value["year"]).otherwise(1)
    last = pl.date(year, month, 1).dt.month_end().dt.day()
    midnight = (hour == 24) & (value["minute"] == 0) & (value["second"] == 0)
    good &= value["day"].is_between(1, last) & ((hour < 24) | midnight)
    good &= (value["minute"] < 60) & (value["second"] < 60)
    day = pl.when(good).then(value["day"]).otherwise(1)
    fraction = pl.col("fraction").str.pad_end(9, "0").cast(pl.Int64) // 1000 if "fraction" in parts.columns else 0
    clock = pl.duration(hours=hour, minutes=value["minute"], seconds=value["second"])
    time = pl.date(year, month, day).cast(pl.Datetime("us")) + clock
    if "fraction" in parts.columns:
        time = time + pl.duration(microseconds=pl.coalesce(fraction, 0))
    found = parts.select(time.alias("time"), (~good).alias("bad"))
    return found["time"], found["bad"]


def is_hhmm(text: pl.Series) -> bool:
    """Whether all are hours and minutes in one number, as 0030 or 30, 130, 2330, and none is an hour alone."""
    whole = text.str.zfill(4).str.contains("^(?:[01][0-9]|2[0-4])[0-5][0-9]$").all()
    return bool(whole and (text.str.len_chars().max() or 0) > 2 and text.str.contains("^[0-9]+$").all())


def counted(text: pl.Series, unit: str) -> pl.Series:
    """The times that numbers mean: counts of a unit since 1970, or Excel's days; null where there is no number."""
    number = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    scale = PER_SECOND.get(unit, 1)
    begin, end = (0, 2_958_466) if unit == "excel" else (-62_135_596_800, 253_402_300_800)  # the years up to 9999
    number = number.set(~number.is_between(begin * scale, end * scale, closed="left"), None)
    if unit == "excel":
        # Excel counts days from 1899-12-30, in doubles: rounded to the second.
        days = pl.duration(seconds=(number * 86_400).round())
        return pl.select(pl.date(1899, 12, 30).cast(pl.Datetime("us")) + days).to_series()
    exact = text.str.extract(r"^(-?[0-9]+)(?:\.0*)?$").cast(pl.Int64, strict=False)
    exact = exact.set(number.is_null(), None)
    whole = exact * (10**6 // scale) if scale <= 10**6 else exact // 1000
    # Numbers with decimals: to the microsecond, as far as doubles go.
    us = pl.coalesce(whole, (number * (10**6 / scale)).round().cast(pl.Int64))
    return pl.select(pl.datetime(1970, 1, 1, time_unit="us") + pl.duration(microseconds=us)).to_series()


def strptime(text: pl.Series, form: str) -> pl.Series:
    """The times in a strftime form; null where the text has another one, or a year of fewer than four digits."""
    times = text.str.to_datetime(form, strict=False, time_unit="us")
    return times.set(times.dt.year() < 1000, None)  # %Y takes the 20 of 2020, or of 31.12.20, for a year, too
