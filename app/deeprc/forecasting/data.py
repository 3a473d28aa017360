"""Reading the csv files: one reader for `check` and `prepare`, with errors that name the line or the column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.errors import InputError, nearest

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
}


def read(path: Path, dataset: str, target: str | None = None) -> pl.DataFrame:
    """The series of a csv file.

    Returns
    -------
    polars.DataFrame
        `ds` (time, µs, as in the file: not sorted), `y` (the target, float64, null where missing), the weather columns
        (float64), and for each category a column of 0 and 1 called `<column>_<value>`.

    Raises
    ------
    InputError
        For a missing file or column, a date or number that cannot be read (with its line), a time that stands twice,
        or a target without any value.
    """
    layout = LAYOUTS[dataset]
    raw = _read_text(path)
    target = target or layout.target
    weather = layout.weather
    if weather is None:
        weather = [name for name in raw.columns if name not in (*layout.time, target)]
    for name in (*layout.time, target, *weather, *layout.categories):
        _need(raw, name, path)
    columns = [_number(raw, target, path).alias("y")]
    columns += [_number(raw, name, path) for name in weather if name != target]
    for name, values in layout.categories.items():
        columns += [(raw[name] == value).cast(pl.Float64).alias(f"{name}_{value}") for value in values]
    table = pl.DataFrame([_time(raw, layout.time, path), *columns])
    _refuse_duplicates(table, path)
    if table["y"].null_count() == len(table):
        raise InputError("the series has no value at all", where=f"{path}, column {target!r}")
    return table


def covariates(table: pl.DataFrame) -> list[str]:
    """The columns of `read` beside the time and the target."""
    return [name for name in table.columns if name not in ("ds", "y")]


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
    return time.alias("ds")


def _refuse_first(text: pl.Series, parsed: pl.Series, path: Path, name: str, problem: str, expected: str) -> None:
    wrong = (text.is_not_null() & parsed.is_null()).arg_true()
    if len(wrong):
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        row = int(wrong[0])
        raise InputError(
            f"{problem}{more}", where=f"{path}:{row + 2}, column {name!r}", found=repr(text[row]), expected=expected
        )


def _refuse_duplicates(table: pl.DataFrame, path: Path) -> None:
    twice = table["ds"].is_duplicated()
    if not twice.any():
        return
    numbered = table.select("ds").with_row_index("line", offset=2).filter(twice)
    first = numbered["ds"][0]
    lines = ", ".join(str(line) for line in numbered.filter(pl.col("ds") == first)["line"])
    raise InputError(
        f"{numbered['ds'].n_unique()} times stand more than once",
        where=path,
        found=f"{first} on the lines {lines}",
        expected="one row per time",
        fix="remove the rows that are too many",
    )
