"""Local times: the hour that stands twice in autumn, and the one that is not there in spring."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import polars as pl

from deeprc.core.errors import InputError, nearest

if TYPE_CHECKING:
    from deeprc.applications.base.tabular.table import Table


def to_utc(table: Table, name: str, times: pl.Series, zone: str, by: pl.Series | None = None) -> pl.Series:
    """Local times of `zone` as UTC: of a time that stands twice the first is summer time, the second is not.

    Where every time is of the same time of the day, they stay: the day of a place is counted, and not its hours.

    Raises
    ------
    InputError
        For a time that the clocks of the zone leap over.
    """
    try:
        pl.Series([0]).cast(pl.Datetime("us", zone))
    except pl.exceptions.PolarsError:
        raise unknown_zone(zone) from None
    if same_clock(times):
        return times
    frame = pl.DataFrame(
        {"t": times.cast(pl.Datetime("us")), "by": pl.repeat(0, len(times), eager=True) if by is None else by}
    )
    time, group = pl.col("t"), pl.struct("by", "t")
    newest_first = time.first().over("by") > time.last().over("by")
    count = pl.when(newest_first).then(time.cum_count(reverse=True).over(group)).otherwise(time.cum_count().over(group))
    which = frame.select(pl.when(count > 1).then(pl.lit("latest")).otherwise(pl.lit("earliest"))).to_series()
    local = frame["t"].dt.replace_time_zone(zone, ambiguous=which, non_existent="null")
    if local.null_count():
        row = int(local.is_null().arg_max())
        raise InputError(
            f"the clocks of {zone} leap over this time",
            where=table.where(row, name),
            found=str(times[row]),
            fix="correct the key 'time_zone': the times may be of another zone, or without summer time",
        )
    return local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def unknown_zone(zone: str) -> InputError:
    """The error for a zone that is none, with the nearest."""
    guess = nearest(zone, available_timezones())
    fix = f"did you mean {guess!r}?" if guess else "name it by region and city"
    return InputError(f"unknown time zone {zone!r}", where="key 'time_zone'", expected="such as Europe/Berlin", fix=fix)


def same_clock(times: pl.Series) -> bool:
    """Whether all times are of one time of the day: days, months or years are counted, and no hour can stand twice."""
    return times.dt.time().n_unique() == 1 and len(times) > 1


def looks_like_autumn(times: pl.Series) -> bool:
    """Whether the times that stand twice are those of one hour in a night in which clocks go back."""
    twice = times.filter(times.is_duplicated())
    days = twice.dt.date()
    autumn = twice.dt.month().is_in([3, 4, 9, 10, 11])  # of the south, and of the north
    pairs = twice.len() == 2 * twice.n_unique()
    nightly = (twice.dt.hour() <= 3).all() and (twice.dt.weekday() == 7).all()
    per_year = days.n_unique() <= twice.dt.year().n_unique()
    hours = pl.DataFrame([days.alias("d"), twice.dt.hour().alias("h")]).n_unique() == days.n_unique()
    return bool(len(twice) and autumn.all() and pairs and nightly and per_year and hours)
