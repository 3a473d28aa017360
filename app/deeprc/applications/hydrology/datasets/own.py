"""Tables of one's own, whatever their columns are called: the configuration says what they hold (key `columns`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from deeprc.applications.base.tabular import TableOptions, read_table
from deeprc.applications.hydrology.config import AREAS, DataConfig
from deeprc.applications.hydrology.datasets import values
from deeprc.applications.hydrology.datasets.attributes import read_attributes, read_places
from deeprc.applications.hydrology.datasets.base import Basin, TableDataset, TableLayout, chosen, visible
from deeprc.core.errors import InputError

ENDINGS = (".csv", ".txt", ".tsv", ".dat", ".parquet")


class Own(TableDataset):
    """One table per basin, which is called as its file; or tables of several, told apart by a column."""

    def __init__(self, config: DataConfig, paths: Sequence[Path]) -> None:
        super().__init__()
        self._options = options_of(config)
        self._attributes_file = Path(config.attributes) if config.attributes else None
        files = files_of(paths, without=self._attributes_file)
        columns = dict(config.columns)
        date, discharge = columns.pop("date", "date"), columns.pop("discharge")
        self._column = columns.pop("basin", None)
        inputs = {name: (column, _unit(column)) for name, column in columns.items()}
        form, unit = config.time_format, config.discharge_unit
        self._layout = TableLayout(date, inputs, discharge, unit, form, self._options, self._column)
        self.tables = self._split(files) if self._column else files
        self.basins, self._areas = areas_of(config, list(self.tables))

    def describe(self, basin: str) -> Basin:
        names, attributes = self._attributes
        mine = attributes.get(basin, {})
        area = self._areas.get(basin)
        if area is None and (column := next((name for name in ("area", "area_km2") if name in mine), None)):
            area = values.area(mine[column], f"{self._attributes_file}, column {column!r}, basin {basin}")
        inputs = {name: unit for name, (_, unit) in self._layout.inputs.items()}
        unit = "mm/day" if area else self._layout.unit.replace("m3", "m³")
        return Basin(basin, names.get(basin, basin), area, unit, inputs, mine, self._places.get(basin))

    def layout(self, basin: str) -> TableLayout:
        return self._layout

    def _split(self, files: dict[str, Path]) -> dict[str, Path]:
        """The file of every basin that a column names."""
        tables: dict[str, Path] = {}
        for path in files.values():
            table = read_table(path, self._options)
            names = table.words(self._column)
            if (blank := (names.is_null() | (names == ""))).any():
                raise InputError(
                    "this row belongs to no basin",
                    where=table.where(int(blank.arg_max()), self._column),
                    expected="the name of its basin in each row",
                    fix="write the name, or take the row out",
                )
            for basin in names.unique(maintain_order=True):
                if (twin := tables.setdefault(basin, path)) != path:
                    raise InputError(
                        f"rows of the basin {basin!r} in two files", where=path, found=twin, fix="join them in one file"
                    )
        return tables

    @cached_property
    def _attributes(self) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
        if not self._attributes_file:
            return {}, {}
        return read_attributes({self._attributes_file: None}, self.basins, key=None, options=self._options)

    @cached_property
    def _places(self) -> dict[str, tuple[float, float]]:
        files = [self._attributes_file] if self._attributes_file else []
        return read_places(files, self.basins, key=None, options=self._options)


def _unit(column: str) -> str:
    """What stands in brackets in a column's name: mm of `P [mm]`."""
    found = re.search(r"[\[(]([^\])]+)[\])]", column)
    return found[1].strip() if found else ""


def options_of(config: DataConfig) -> TableOptions:
    """What the configuration says of the tables."""
    return TableOptions(
        separator=config.separator,
        decimal=config.decimal,
        encoding=config.encoding,
        missing=tuple(map(str, config.missing)),
        time_key="'columns': {date: …}",
    )


def files_of(paths: Sequence[Path], without: Path | None = None) -> dict[str, Path]:
    """The tables by basin: files, or those that lie in a folder, where `without` (the attributes) may lie too."""
    files: dict[str, Path] = {}
    for given in paths:
        inside = [path for path in visible(given, "*") if path.suffix.lower() in ENDINGS] if given.is_dir() else [given]
        if given.is_dir() and without and without.exists():
            inside = [path for path in inside if not path.samefile(without)]
        if not inside:
            raise InputError("the folder has no tables", where=given, expected=f"files with {', '.join(ENDINGS)}")
        for path in inside:
            if (twin := files.setdefault(path.stem, path)) != path:
                raise InputError(
                    f"two files of the basin {path.stem!r}", where=path, found=twin, fix="rename one of them"
                )
    return files


def areas_of(config: DataConfig, known: list[str]) -> tuple[list[str], dict[str, float]]:
    """The basins to use, and their areas in km2."""
    basins = chosen(config.basins, known, "key 'basins'")
    areas = config.areas
    if areas == AREAS:
        areas = {} if config.dataset == "csv" else areas  # those of the demo: another fulda.csv may be another Fulda
    else:
        chosen(list(areas), known, "key 'areas'")  # an area of a misspelt basin would be lost
    return basins, {basin: values.area(area, f"key 'areas', {basin}") for basin, area in areas.items()}
