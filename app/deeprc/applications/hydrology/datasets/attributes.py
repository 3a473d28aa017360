"""Static attributes of basins, from tables with one row per basin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from deeprc.applications.base.tabular import Table, TableOptions, read_table
from deeprc.applications.hydrology.datasets.values import CODES, IDS
from deeprc.core.errors import InputError

ANY = TableOptions()
LATITUDE, LONGITUDE = ("gauge_lat", "latitude", "lat"), ("gauge_lon", "longitude", "lon", "long")  # for the map
NAMES = ("gauge_name", "name")  # of the column that a reader of the report knows a basin by


def read_attributes(
    wanted: Mapping[Path, Sequence[str] | None],
    basins: Sequence[str],
    *,
    key: str | None = "gauge_id",
    options: TableOptions = ANY,
) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """The names and the attributes of `basins`.

    Parameters
    ----------
    wanted
        By file, the columns to take; None: all that hold numbers.
    key
        The column that names the basin; None: the first whose values do.

    Returns
    -------
    names
        Basin to the gauge's name, where a file has it.
    values
        Basin to its attributes by name; empty where there are no files.

    Raises
    ------
    InputError
        When a basin, a column or a value is missing, or a basin stands twice.
    """
    names: dict[str, str] = {}
    values: dict[str, dict[str, float]] = {basin: {} for basin in basins}
    for file, columns in wanted.items():
        table = read_table(file, options)
        rows = _rows(table, key or _key(table, basins), basins)
        for column in table.columns:
            if column.casefold() in NAMES:
                text = table.text(column)
                names |= {basin: text[rows[basin]] for basin in basins if text[rows[basin]]}
        for name in columns if columns is not None else _numeric(table, key or _key(table, basins)):
            numbers = table.numbers(name)
            numbers = numbers.set(numbers.is_in([float(code) for code in CODES]).fill_null(False), None)
            for basin in basins:
                if numbers[rows[basin]] is None:
                    raise _missing(f"no attribute {name!r} of the basin {basin}", table, basin, rows[basin])
                values[basin][name] = numbers[rows[basin]]
    return names, values


def read_places(
    files: Iterable[Path], basins: Sequence[str], *, key: str | None = "gauge_id", options: TableOptions = ANY
) -> dict[str, tuple[float, float]]:
    """Latitude and longitude of those of `basins` of which one of `files` has both, in degrees.

    They are for a map alone: what is no such number is left out, and nothing is refused for it. Parameters are those
    of `read_attributes`.
    """
    for file in files:
        table = read_table(file, options)
        named = [next((name for name in table.columns if name.casefold() in names), None)
                 for names in (LATITUDE, LONGITUDE)]  # fmt: skip
        if None in named:
            continue
        rows = _rows(table, key or _key(table, basins), basins)
        latitudes, longitudes = (_degrees(table, name, most) for name, most in zip(named, (90, 180), strict=True))
        found = {basin: (latitudes[rows[basin]], longitudes[rows[basin]]) for basin in basins}
        return {basin: place for basin, place in found.items() if None not in place}
    return {}


def _degrees(table: Table, name: str, most: float) -> pl.Series:
    """A column's numbers between `-most` and `most`; all else is null."""
    try:
        numbers = table.numbers(name)
    except InputError:
        numbers = table.text(name).cast(pl.Float64, strict=False)
    return numbers.set((numbers.abs() <= most).not_().fill_null(True), None)


def _rows(table: Table, key: str, basins: Sequence[str]) -> dict[str, int]:
    ids = table.words(key)
    rows: dict[str, int] = {}
    for row, basin in enumerate(ids):
        if basin in rows:
            raise InputError(
                f"the basin {basin} stands twice", where=table.where(row, key), fix="leave one of the rows"
            )
        rows[basin] = row
    for basin in basins:
        if basin not in rows:
            raise _missing(f"no attributes of the basin {basin}", table, basin)
    return rows


def _missing(problem: str, table: Table, basin: str, row: int | None = None) -> InputError:
    fix = f"add it, or name the basins to use without {basin} (key 'basins')"
    return InputError(problem, where=table.path if row is None else table.where(row), fix=fix)


def _key(table: Table, basins: Sequence[str]) -> str:
    """The column that names basins and is called so, or the one that names the most."""
    named = {name: int(table.words(name).is_in(list(basins)).sum()) for name in table.columns}
    most = max(named.values())
    called = [name for name in named if named[name] and name.casefold() in IDS]
    best = called if len(called) == 1 else [name for name in called or named if named[name] == most]
    if len(best) > 1 and any(not table.words(name).equals(table.words(best[0])) for name in best):
        raise InputError(
            "which column names the basins cannot be told", where=table.path, found=", ".join(best),
            fix="call the right one 'basin'",
        )  # fmt: skip
    if not most:
        raise InputError(
            "no column names the basins", where=table.path, found=", ".join(table.columns),
            expected=f"a column with {', '.join(list(basins)[:3])}",
        )  # fmt: skip
    return best[0]


def _numeric(table: Table, key: str) -> list[str]:
    """The columns that hold any number; a word among the numbers is an error when they are read."""
    found = []
    for name in table.columns:
        if name == key or name.casefold() in NAMES:
            continue
        text = table.text(name)
        if text.cast(pl.Float64, strict=False).null_count() < len(text) or text.str.contains(r"^\d+,\d+$").any():
            found.append(name)
    return found
