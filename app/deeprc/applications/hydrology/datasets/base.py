"""A data set of basins: what every reader offers, and what readers of one table per basin share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from deeprc.applications.base.tabular import Table, TableOptions, read_table
from deeprc.applications.hydrology.datasets import values
from deeprc.core.errors import InputError, unknown


@dataclass(frozen=True)
class Basin:
    """One basin.

    Parameters
    ----------
    name
        What a reader of the report calls it.
    area
        Catchment area in km2; None where it is not known.
    unit
        Of its discharge: mm/day where the area is known.
    inputs
        The columns of its forcing, with their units.
    attributes
        What stays the same over time (climate, soil, …), by name; the same names for all basins of a data set.
    place
        Latitude and longitude of its gauge in degrees; None where they are not known.
    """

    basin: str
    name: str
    area: float | None
    unit: str
    inputs: dict[str, str]
    attributes: dict[str, float]
    place: tuple[float, float] | None = None


class Dataset(ABC):
    """Basins whose forcing and discharge are read basin by basin, so that ranks can share the work.

    Attributes
    ----------
    basins
        Their names.
    notices
        By basin, sentences about what was found or taken for granted, for the user to read.
    """

    basins: Sequence[str]
    notices: dict[str, list[str]]

    @abstractmethod
    def describe(self, basin: str) -> Basin:
        """What is known about `basin`, from the heads of its files."""

    @abstractmethod
    def forcing(self, basin: str) -> pl.DataFrame:
        """Daily weather, sorted by date: `basin` str, `date`, a float64 column per input (null: missing) and `line`.

        `line`, int64, is where it stands in the first of `files`, counted from 1 (of Parquet the row).
        """

    @abstractmethod
    def discharge(self, basin: str) -> pl.DataFrame:
        """Daily discharge: `basin` str, `date`, `obs` float64 (the basin's unit; null: missing), `quality` str, `line`.

        `line`, int64, is where it stands in the last of `files`, counted from 1 (of Parquet the row).
        """

    @abstractmethod
    def files(self, basin: str) -> list[Path]:
        """The files that `basin` is read from: that of its weather first, that of its discharge last."""


@dataclass(frozen=True)
class TableLayout:
    """How a table of a basin is laid out.

    Parameters
    ----------
    date
        The column of the day, or those that make it together; `form` as `Table.times` has it.
    inputs
        By our name, the file's column and the unit.
    discharge, unit
        The discharge's column and its unit, one of `values.LITRES`.
    basin
        The column that says which basin a row is of, where a table holds several.
    """

    date: str | Sequence[str]
    inputs: Mapping[str, tuple[str, str]]
    discharge: str
    unit: str
    form: str | None = None
    options: TableOptions = field(default_factory=TableOptions)
    basin: str | None = None


class TableDataset(Dataset):
    """Basins with weather and discharge in one table: a reader of such data says where they are and how laid out.

    Attributes
    ----------
    tables
        The file of each basin.
    said
        By basin, sentences that are known before its table is read.
    """

    tables: dict[str, Path]
    said: dict[str, list[str]]

    def __init__(self) -> None:
        self.notices, self.said = {}, {}
        self._last: tuple[str, pl.DataFrame] | None = None
        self._several: Table | None = None

    @abstractmethod
    def layout(self, basin: str) -> TableLayout:
        """How the table of `basin` is laid out."""

    def forcing(self, basin: str) -> pl.DataFrame:
        return self._read(basin).select("basin", "date", *self.layout(basin).inputs, "line")

    def discharge(self, basin: str) -> pl.DataFrame:
        return self._read(basin).select("basin", "date", "obs", "quality", "line")

    def files(self, basin: str) -> list[Path]:
        return [self.tables[basin]]

    def table(self, basin: str) -> Table:
        """The rows of `basin`."""
        layout, path = self.layout(basin), self.tables[basin]
        if not layout.basin:
            return read_table(path, layout.options)
        if self._several is None or self._several.path != path:  # of a file of many basins: read once, not for each
            self._several = read_table(path, layout.options)
        return values.rows_of(self._several, layout.basin, basin)

    def _read(self, basin: str) -> pl.DataFrame:
        """All columns of a basin; of the last one that was asked for they are kept, not read again."""
        if self._last and self._last[0] == basin:
            return self._last[1]
        layout, table, area = self.layout(basin), self.table(basin), self.describe(basin).area
        if not layout.basin:
            values.refuse_another_gauge(table, basin, self.tables)
        days = values.days(table, layout.date, layout.form)
        values.refuse_answer(table, {name: column for name, (column, _) in layout.inputs.items()}, layout.discharge)
        inputs = [values.weather(table, column, name) for name, (column, _) in layout.inputs.items()]
        observed = values.flow(table, layout.discharge)
        depth = observed if layout.unit == "mm/day" else values.depth(observed, layout.unit, area) if area else observed
        quality = pl.Series("quality", ["unflagged"] * len(observed)).set(observed.is_null(), "missing")
        frame = values.in_order(table, basin, days, [*inputs, depth.alias("obs"), quality])
        self.notices[basin] = list(dict.fromkeys([*self.said.get(basin, []), *table.notices]))
        self._last = basin, frame
        return frame


def chosen(wanted: Sequence[str] | None, known: Sequence[str], where: object) -> list[str]:
    """The basins to use: those wanted, or all known.

    Raises
    ------
    ConfigError
        For a wanted basin that the data does not have.
    """
    for basin in wanted or ():
        if basin not in known:
            raise unknown("basin", basin, known, where=where)
    return list(dict.fromkeys(wanted or known))  # one that is named twice is one


def one_folder(dataset: str, paths: Sequence[Path]) -> Path:
    """The folder of a published data set."""
    if len(paths) != 1:
        raise InputError(f"{dataset} is one folder", found=f"{len(paths)} paths", fix="name one folder")
    return paths[0]


def need_folder(path: Path, layout: str) -> Path:
    """`path`, which must be a folder of a data set with that layout."""
    if not path.is_dir():
        raise InputError(
            "this folder is missing",
            where=path,
            expected=layout,
            fix="give the folder above it with the key 'path'",
        )
    return path


def visible(folder: Path, pattern: str) -> list[Path]:
    """The files below `folder` that match, without hidden ones: a Mac leaves a `._name` beside every file it copies."""
    found = (path for path in sorted(folder.rglob(pattern)) if path.is_file())
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
