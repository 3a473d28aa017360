"""Reading the csv files: one reader for `check` and `prepare`, with errors that name the line or the column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.errors import InputError, nearest
from deeprc.forecasting.config import DataConfig

MISSING = ["NA", "NaN", "nan", ""]
WIND = ["NE", "NW", "SE", "cv"]


@dataclass(frozen=True)
class Layout:
    """How a data set's csv file is laid out.

    Attributes
    ----------
    time
        The columns that make the time, and None or their format.
    target, unit
        The default column to forecast and its unit.
    weather
        Numeric columns used as covariates of the past; None: all others.
    """

    time: list[str]
    target: str
    unit: str
    weather: list[str] | None
    categories: dict[str, list[str]]
    name: str


LAYOUTS = {
    "beijing": Layout(
        ["year", "month", "day", "hour"],
        "pm2.5",
        "µg/m³",
        ["DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"],
        {"cbwd": WIND},
        "Beijing PM2.5",
    ),
    "ett": Layout(["date"], "OT", "°C", None, {}, "ETT"),
    "csv": Layout(["date"], "y", "", None, {}, ""),
}


@dataclass(frozen=True)
class Observations:
    """What a file says, in names of ours: no name of a user's column can meet one of them.

    Attributes
    ----------
    frame
        `id` (the series; one constant value where the file has one), `time` (µs, without a zone, as in the file: not
        sorted), `y` (the target, float64, null where missing), then the covariates of the past (float64), each called
        `x:<column>`, or `x:<column>=<value>` for a value of a category.
    title, target, unit
        The data's name, the column that is forecast, and its unit ("" where it is not known).
    covariates
        Names of the covariates in `frame`.
    series
        The ids, in the order in which they appear.
    notices
        Sentences about what was found or left out, for the user to read.
    season
        Steps of a season, where the configuration says so.
    """

    frame: pl.DataFrame
    title: str
    target: str
    unit: str
    covariates: list[str]
    series: list[str]
    notices: list[str]
    season: int | None


def read(path: Path, config: DataConfig) -> Observations:
    """The series of a file.

    Raises
    ------
    InputError
        For a missing file or column, a date or number that cannot be read (with its line), a time that stands twice,
        or a target without any value.
    """
    layout = LAYOUTS[config.dataset]
    raw = _read_text(path)
    times = [config.time] if isinstance(config.time, str) else config.time or layout.time
    target = config.target or layout.target
    series = config.series or ("unique_id" if "unique_id" in raw.columns else None)
    weather = config.covariates if config.covariates is not None else layout.weather
    if weather is None:
        weather = [name for name in raw.columns if name not in (*times, target, series)]
    for name in (*times, target, *weather, *layout.categories, *filter(None, [series])):
        _need(raw, name, path)
    columns = [_number(raw, name, path).alias(f"x:{name}") for name in weather if name != target]
    for name, values in layout.categories.items():
        columns += [(raw[name] == value).cast(pl.Float64).alias(f"x:{name}={value}") for value in values]
    y = _number(raw, target, path).alias("y")
    if y.null_count() == len(y):
        raise InputError("the series has no value at all", where=f"{path}, column {target!r}")
    ids = raw[series].alias("id") if series else pl.repeat(target, len(y), eager=True).alias("id")
    frame = pl.DataFrame([ids, _time(raw, times, path), y, *columns])
    _refuse_duplicates(frame, path)
    own = config.dataset == "csv" or target != layout.target
    return Observations(
        frame=frame,
        title=config.title or (path.stem if config.dataset == "csv" else layout.name),
        target=target,
        unit=config.unit if config.unit is not None else "" if own else layout.unit,
        covariates=[column.name for column in columns],
        series=ids.unique(maintain_order=True).to_list(),
        notices=[],
        season=config.season,
    )


def _read_text(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise InputError("no such file", where=path, fix="check the key 'forecasting.path'")
    try:
        raw = pl.read_csv(path, infer_schema=False, null_values=MISSING)
    except pl.exceptions.NoDataError:
        raise InputError("the file is empty", where=path) from None
    except pl.exceptions.PolarsError as error:
        raise InputError("not a csv file", where=path, found=str(error).splitlines()[0]) from None
    if raw.is_empty():
        raise InputError("the file has a header and no rows", where=path)
    return raw


def _need(raw: pl.DataFrame, name: str, path: Path) -> None:
    if name in raw.columns:
        return
    guess = nearest(name, raw.columns)
    raise InputError(
        f"the column {name!r} is missing",
        where=path,
        found=", ".join(raw.columns),
        expected=name,
        fix=f"did you mean {guess!r}? rename the column" if guess else "add the column",
    )


def _number(raw: pl.DataFrame, name: str, path: Path) -> pl.Series:
    numbers = raw[name].str.strip_chars().cast(pl.Float64, strict=False)
    _refuse_first(raw[name], numbers, path, name, "not a number", "a number, or NA where it is missing")
    return numbers


def _time(raw: pl.DataFrame, names: list[str], path: Path) -> pl.Series:
    if len(names) == 1:
        text = raw[names[0]]
        time = text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
        expected = "YYYY-MM-DD HH:MM:SS"
    else:
        text = raw.select(pl.concat_str(names, separator="-", ignore_nulls=True)).to_series()
        year, month, day, hour = (pl.col(name).cast(pl.Int32, strict=False) for name in names)
        # pl.datetime refuses a 30 February by an error: the text is parsed instead, which gives null.
        stamp = pl.format("{}-{}-{} {}:00", year, month, day, hour)
        time = raw.select(stamp.str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us")).to_series()
        expected = "numbers that make a date: " + ", ".join(names)
    _refuse_first(text.fill_null("(missing)"), time, path, "-".join(names), "not a date", expected)
    return time.alias("time")


def _refuse_first(text: pl.Series, parsed: pl.Series, path: Path, name: str, problem: str, expected: str) -> None:
    wrong = (text.is_not_null() & parsed.is_null()).arg_true()
    if len(wrong):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        row = int(wrong[0])
        raise InputError(
            f"{problem}{more}", where=f"{path}:{row + 2}, column {name!r}", found=repr(text[row]), expected=expected
        )


def _refuse_duplicates(frame: pl.DataFrame, path: Path) -> None:
    key = frame.select("id", "time")
    twice = key.with_row_index("line", offset=2).filter(key.is_duplicated())
    if twice.is_empty():
        return
    name, time = twice.row(0)[1:]
    lines = ", ".join(str(line) for line in twice.filter(pl.col("time") == time, pl.col("id") == name)["line"])
    raise InputError(
        f"{twice.n_unique(['id', 'time'])} times stand more than once",
        where=path,
        found=f"{time} on the lines {lines}",
        expected="one row per time",
        fix="if the rows are of several series, name their column by the key 'forecasting.series'; "
        "else correct the times",
    )
