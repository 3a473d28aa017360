"""The regular times under the observations: a stretch of rows for each series, one stretch after the other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from deeprc.applications.forecasting.splits import cut, leave_out
from deeprc.applications.forecasting.step import TimeStep
from deeprc.core.errors import ConfigError, InputError, unknown

if TYPE_CHECKING:
    from deeprc.applications.forecasting.config import DataConfig
    from deeprc.applications.forecasting.data import Observations

SPARSE = 100  # grids with more times than this for each row of the file are a wrong time, not gaps
SOME = 5  # series that a sentence names


@dataclass(frozen=True)
class Grid:
    """All times from the first to the last of each series, numbered through, and where each series is cut into parts.

    Attributes
    ----------
    step, season
        The time between two rows, and how many of them make a season.
    series
        A row for each series, in the order of the ids: `id`, `first` (its first time), `day` (of the month, for steps
        of months; 31 is the last one), and the rows at which training (`begin`), validation (`val`) and test (`test`)
        begin and the series ends (`end`).
    notices
        Sentences about what the series do not allow.
    """

    step: TimeStep
    season: int
    series: pl.DataFrame
    notices: list[str]

    @property
    def rows(self) -> int:
        """Of all series together."""
        return self.series["end"][-1]

    @property
    def apart(self) -> list[str] | None:
        """Two series that do not begin and end at the same times, or are cut elsewhere; None where there are none."""
        edges = [pl.col(name) - pl.col("begin") for name in ("val", "test", "end")]
        kinds = self.series.select("first", *edges).rows()
        other = next((number for number, kind in enumerate(kinds) if kind != kinds[0]), None)
        return None if other is None else self.series["id"].gather([0, other]).to_list()

    @property
    def first(self) -> object:
        """The earliest time of all series."""
        return self.series["first"].min()

    @property
    def last(self) -> object:
        """The latest time of all series."""
        ends = self.series.with_columns(row=pl.col("end") - pl.col("begin") - 1)
        return ends.select(_time(self.step).max()).item()

    def place(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of `frame` (`id`, `time` and more) with `row`, their place on the grid, instead of id and time."""
        stretch = self.series.select("id", "first", "begin")
        placed = frame.join(stretch, on="id", how="inner", maintain_order="left")
        row = (pl.col("begin") + _row(self.step)).alias("row")
        return placed.select(row, pl.exclude("id", "time", "first", "begin"))

    def stretch(self, begin: int, end: int) -> pl.DataFrame:
        """The rows `begin` to `end` of the grid.

        Returns
        -------
        polars.DataFrame
            `row`, `series` (its number), `ds` (the time), `part` (0 training, 1 validation, 2 test), and the first row
            and the one behind the last of its series (`series_begin`, `series_end`) and of its part (`part_…`).
        """
        row = pl.DataFrame({"row": pl.int_range(begin, end, dtype=pl.Int64, eager=True)})
        table = row.join_asof(self.series.with_row_index("series"), left_on="row", right_on="begin", coalesce=False)
        row, edges = pl.col("row"), [pl.col(name) for name in ("begin", "val", "test", "end")]
        passed = [pl.when(row >= edge).then(edge) for edge in edges[:3]]
        ahead = [pl.when(row < edge).then(edge) for edge in edges[1:]]
        return table.with_columns(
            pl.sum_horizontal(row >= edge for edge in edges[1:3]).cast(pl.Int8).alias("part"),
            pl.max_horizontal(passed).alias("part_begin"),
            pl.min_horizontal(ahead).alias("part_end"),
            (row - pl.col("begin")).alias("within"),
        ).select(
            "row",
            "series",
            _time(self.step, "within").alias("ds"),
            "part",
            pl.col("begin").alias("series_begin"),
            pl.col("end").alias("series_end"),
            "part_begin",
            "part_end",
        )


def lay_out(found: Observations, config: DataConfig, path: Path) -> Grid:
    """The grid under what `read` has found.

    Raises
    ------
    InputError
        For times that are not evenly spaced, and for series that are too short for their windows: all are named.
    """
    frame = _without(found, config.leave_out, path).select("id", "time").sort("id", "time")
    step = TimeStep.parse(config.step) if config.step else _find_step(frame, path)
    series = _stretches(frame, step)
    _refuse_uneven(frame, series, step, path)
    _refuse_sparse(frame, series, step, path)
    if not config.step:
        _refuse_other_steps(frame, series, step, path)
    series = cut(series.select("id", "first", "day", "rows"), config, path)
    season = config.season or step.season()
    return Grid(step, season, series, _short_seasons(series, season, step, bool(config.season), path))


def _without(found: Observations, names: list[str | int], path: Path) -> pl.DataFrame:
    """The rows of the series that are not to be left out."""
    out = {str(name) for name in names}
    for name in out.difference(found.series):
        raise unknown("series in leave_out", name, found.series, where=path)
    if out and out == set(found.series):
        raise ConfigError("leave_out leaves no series", where=path, found=f"{len(out)} of {len(out)} series left out")
    return found.frame.filter(~pl.col("id").is_in(list(out)))


def _find_step(frame: pl.DataFrame, path: Path) -> TimeStep:
    """The most common distance, the smallest of several; months where every time is on its day of the month."""
    same = pl.col("id") == pl.col("id").shift()
    gaps = frame.select(pl.col("time").diff().dt.total_microseconds(), _month("time").diff().alias("months"), same=same)
    gaps = gaps.filter("same")
    if gaps.is_empty():
        raise InputError("too few rows for the windows", where=path, found=f"{len(frame)} rows")
    if gaps["time"].min() >= 28 * 86_400 * 10**6:
        month = TimeStep(months=1)
        if _misplaced(frame, _stretches(frame, month), month).is_empty():
            return TimeStep(months=gaps["months"].mode().min())
    return TimeStep(us=gaps["time"].mode().min())


def _month(column: str) -> pl.Expr:
    return pl.col(column).dt.year() * 12 + pl.col(column).dt.month().cast(pl.Int32) - 1


def _row(step: TimeStep) -> pl.Expr:
    """The row within its series of the `time` of a series that begins at `first`."""
    if step.months:
        return ((_month("time") - _month("first")) // step.months).cast(pl.Int64)
    return (pl.col("time") - pl.col("first")).dt.total_microseconds() // step.us


def _time(step: TimeStep, column: str = "row") -> pl.Expr:
    """The time of the row `column` of a series that begins at `first`, on the day `day` of the month."""
    first, row = pl.col("first"), pl.col(column)
    if not step.months:
        return (first.cast(pl.Int64) + row * step.us).cast(pl.Datetime("us"))
    month = _month("first") + row * step.months
    start = pl.datetime(month // 12, month % 12 + 1, 1, time_unit="us")
    day = pl.min_horizontal(pl.col("day"), start.dt.month_end().dt.day()).cast(pl.Int64)
    return start + pl.duration(days=day - 1, time_unit="us") + (first - first.dt.truncate("1d"))


def _stretches(frame: pl.DataFrame, step: TimeStep) -> pl.DataFrame:
    """`id`, `first`, `day`, `known` (rows in the file) and `rows` (on the grid) of each series."""
    time = pl.col("time")
    at_end = (time.dt.month_end() == time).all()
    series = frame.group_by("id", maintain_order=True).agg(
        time.first().alias("first"),
        pl.when(at_end).then(31).otherwise(time.dt.day().max()).cast(pl.Int8).alias("day"),
        pl.len().cast(pl.Int64).alias("known"),
        time.last(),
    )
    return series.with_columns((_row(step) + 1).alias("rows"))


def _misplaced(frame: pl.DataFrame, series: pl.DataFrame, step: TimeStep) -> pl.DataFrame:
    """The rows whose time is none of the grid's."""
    placed = frame.join(series.select("id", "first", "day"), on="id", maintain_order="left")
    return placed.with_columns(_row(step).alias("row")).filter(_time(step) != pl.col("time"))


def _refuse_uneven(frame: pl.DataFrame, series: pl.DataFrame, step: TimeStep, path: Path) -> None:
    odd = _misplaced(frame, series, step)
    if odd.is_empty():
        return
    name, time, first = odd.select("id", "time", "first").row(0)
    monthly = step.us > timedelta(days=25) / timedelta(microseconds=1)
    raise InputError(
        "the times are not evenly spaced",
        where=_where(path, series, name),
        found=str(time),
        expected=f"{first} and whole multiples of {step} after it",
        fix="write each month as the same day, such as its first or its last one" if monthly
        else "if the step is another one, give the key 'forecasting.step'; else correct the times",
    )  # fmt: skip


def _refuse_sparse(frame: pl.DataFrame, series: pl.DataFrame, step: TimeStep, path: Path) -> None:
    sparse = series.filter(pl.col("rows") > SPARSE * (pl.col("known") + 10))
    if sparse.is_empty():
        return
    name, known, rows = sparse.select("id", "known", "rows").row(0)
    times = frame.filter(pl.col("id") == name)["time"]
    end = int(times.diff().arg_max())
    raise InputError(
        f"nearly all times of the series are missing, for a step of {step}",
        where=_where(path, series, name),
        found=f"{known:,} of {rows:,} times from {times[0]} to {times[-1]}, "
        f"none of them between {times[end - 1]} and {times[end]}",
        fix="look for a wrong time; or give the key 'forecasting.step', if the step is another one",
    )


def _refuse_other_steps(frame: pl.DataFrame, series: pl.DataFrame, step: TimeStep, path: Path) -> None:
    """Refuse series in which no two times are one step apart: daily ones, say, beside hourly ones."""
    rows = frame.join(series.select("id", "first"), on="id", maintain_order="left").select("id", row=_row(step))
    gaps = rows.select("id", gap=pl.col("row").diff().over("id")).group_by("id", maintain_order=True)
    other = gaps.agg(pl.col("gap").min(), pl.len()).filter(pl.col("gap") > 1, pl.col("len") > 2)
    if other.is_empty():
        return
    ids = other["id"].to_list()
    raise InputError(
        f"{len(other)} of {len(series)} series have another step than {step}",
        where=path,
        found="; ".join(f"{name}: {TimeStep(step.us * gap, step.months * gap)}" for name, gap, _ in other.rows()),
        expected="one step for all series",
        fix="write the series of each step into a file of their own"
        + leave_out(ids)
        + "; if they are full of gaps, give the key 'forecasting.step'",
    )


def _short_seasons(series: pl.DataFrame, season: int, step: TimeStep, given: bool, path: Path) -> list[str]:
    """What to say of series that are shorter than a season; where all are, a season that was asked for is refused."""
    before = (pl.col("test") - pl.col("begin")).alias("before")
    short = series.filter(before < season)
    if short.is_empty():
        return []
    if given and len(short) == len(series):
        raise InputError(
            "the season is longer than all that comes before the test part",
            where=path,
            found=f"season {season}, {series.select(before.max()).item()} rows",
            fix="give a smaller key 'forecasting.season', or leave it out",
        )
    whose = whom(short["id"].to_list(), len(series))
    return [
        f"{whose}: less than a season ({step.ahead(season)}) comes before the test part; "
        "the last value stands in for the seasonal naive forecast there, and MASE is not known"
    ]


def whom(ids: list[str], of: int) -> str:
    """Some of `of` series, as the subject of a sentence."""
    return "the series" if of == 1 else f"{len(ids)} of {of} series ({_some(ids)})"


def _some(names: list[str]) -> str:
    return ", ".join(names[:SOME]) + (f" and {len(names) - SOME} more" if len(names) > SOME else "")


def _where(path: Path, series: pl.DataFrame, name: str) -> str:
    return str(path) if len(series) == 1 else f"{path}, series {name!r}"
