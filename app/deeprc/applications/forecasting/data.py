"""Reading the user's file: one reader for `check` and `prepare`, with errors that name the line or the column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import polars as pl

from deeprc.applications.base.tabular import Table, TableOptions, read_table
from deeprc.applications.base.tabular.numbers import word
from deeprc.applications.base.tabular.sentinels import find_sentinel
from deeprc.applications.base.tabular.stray import refuse_stray
from deeprc.applications.forecasting.columns import LAYOUTS, Roles, assign
from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.repeats import once
from deeprc.core.errors import InputError


@dataclass(frozen=True)
class Observations:
    """What a file says, in names of ours: no name of a user's column can meet one of them.

    Attributes
    ----------
    frame
        `id` (the series; one constant value where the file has one), `time` (µs, without a zone, as in the file: not
        sorted), `y` (the target, float64, null where missing), `line` (of the file; of Parquet the row; from 1), then
        the covariates of the past (float64), each called `x:<column>`, or `x:<column>=<value>` for a value of a
        category.
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


Converted = tuple[pl.Series, list[str]]  # the numbers of a column, and what the user is to read of them


def options_of(config: DataConfig) -> TableOptions:
    """What the configuration says of the table."""
    missing = config.missing or ()
    return TableOptions(config.separator, config.decimal, missing, config.encoding, time_key="'time'")


def open_file(path: Path, config: DataConfig) -> tuple[Table, Roles]:
    """The table in a file, and which of its columns is what; errors as of `read`."""
    table = read_table(path, options_of(config))
    return table, assign(table, config)


def convert(table: Table, names: list[str], config: DataConfig) -> dict[str, Converted]:
    """The numbers of some columns, by name; without those that are no numbers, or whose meaning is not certain."""
    found = {}
    for name in names:
        part = replace(table, notices=[])
        try:
            found[name] = _values(part, name, config).rechunk(), part.notices
        except InputError:
            continue  # whoever has the whole table tells what is wrong
    return found


def read(
    path: Path, config: DataConfig, opened: tuple[Table, Roles] | None = None,
    converted: Mapping[str, Converted] = MappingProxyType({}),
) -> Observations:  # fmt: skip
    """The series of a file.

    Parameters
    ----------
    opened, converted
        What `open_file` and `convert` have given of it already.

    Raises
    ------
    InputError
        For a file without a table, a column that is missing, a date or number that cannot be read (with its line), a
        date out of line, a time that stands twice with different values, or a target without any value.
    """
    table, roles = opened or open_file(path, config)
    layout = LAYOUTS.get(config.dataset)
    ids = _ids(table, roles)
    time = table.times(roles.time, config.time_format, config.time_zone, ids)
    refuse_stray(table, ids, time, roles.time)
    y = _values(table, roles.target, config).alias("y")
    if y.null_count() == len(y):
        raise InputError("the series has no value at all", where=table.where(name=roles.target))
    columns = _covariates(table, roles, config, converted)
    if layout:
        for name, values in layout.categories.items():
            words = table.words(name)
            columns += [(words == value).cast(pl.Float64).alias(f"x:{name}={value}") for value in values]
    own = [ids.alias("id"), time.alias("time"), y, table.numbered()]
    frame = once(table, pl.DataFrame([*own, *columns]), config, roles.time)
    # The name and the unit of a public data set hold for its own files and target only.
    known = layout if layout and all(name in table.columns for name in layout.columns) else None
    unit = known.unit if known and roles.target == known.target else ""
    return Observations(
        frame=frame,
        title=config.title or (known.name if known else Path(path).stem),
        target=roles.target,
        unit=config.unit if config.unit is not None else unit,
        covariates=[column.name for column in columns],
        series=frame["id"].unique(maintain_order=True).to_list(),
        notices=list(dict.fromkeys(table.notices)),
        season=config.season,
    )


def _ids(table: Table, roles: Roles) -> pl.Series:
    if roles.series is None:
        return pl.repeat(roles.target, len(table), eager=True)
    words = table.words(roles.series)
    if (blank := (words.is_null() | (words == ""))).any():
        row = int(blank.arg_max())
        raise InputError(
            "this row belongs to no series",
            where=table.where(row, roles.series),
            expected="the name of its series in each row",
            fix="write the name, or give the key 'series' another column",
        )
    return words


def _values(table: Table, name: str, config: DataConfig) -> pl.Series:
    """The numbers of a column; what stands for a missing value is missing, unless the configuration says what does."""
    values = table.numbers(name)
    while config.missing is None and (sentinel := find_sentinel(values)):
        this = word(sentinel.value)
        if sentinel.kind == "likely":
            row = int((values == sentinel.value).fill_null(False).arg_max())
            raise InputError(
                "does this number mean a missing value?",
                where=table.where(row, name),
                found=str(sentinel),
                fix=f"say so by the key 'missing': [\"{this}\"]; where all numbers are values: 'missing': []",
            )
        if sentinel.kind == "odd":
            table.notices.append(f"far away in {name!r}: {sentinel}; is it missing? then 'missing': [\"{this}\"]")
            break
        table.notices.append(f"read as missing in {name!r}: {sentinel}; were it a value, give the key 'missing': []")
        values = values.set(values == sentinel.value, None)
    return values


def _covariates(table: Table, roles: Roles, config: DataConfig, converted: Mapping[str, Converted]) -> list[pl.Series]:
    columns = []
    for name in roles.covariates:
        values, notices = converted.get(name) or (_values(table, name, config), [])
        table.notices.extend(notices)
        if values.null_count() < len(values):
            columns.append(values.alias(f"x:{name}"))
        elif roles.chosen:
            raise InputError(
                "this covariate has no value at all",
                where=table.where(name=name),
                fix="leave it out of the key 'covariates'",
            )
        else:
            table.notices.append(f"columns left out, without any value: {name}")
    return columns
