"""Daily csv files, one per basin, in the two layouts that spotpy 1.6.7 ships with its examples.

- `examples/cmf_data/fulda_climate.csv`: the Fulda at Grebenau; temperatures, precipitation, discharge in m3/s.
- `examples/hymod_python/hymod_input.csv`: rainfall, potential evaporation (Turc), discharge in l/s. It is called Leaf
  River after the basin of spotpy's older HYMOD example (1,944 km2), but its figures are those of another catchment:
  spotpy's set-up of it says 1.783 km2, and only with that area does the runoff (136-223 mm a year) fit the rain
  (458-574 mm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deeprc.applications.base.tabular import read_table
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets.base import Basin, TableDataset, TableLayout
from deeprc.applications.hydrology.datasets.own import areas_of, files_of, options_of
from deeprc.core.errors import InputError

NAMES = {"fulda": "Fulda at Grebenau, Germany", "leaf-river": "HYMOD example catchment of spotpy"}
LAYOUTS = {
    "fulda": TableLayout(
        date="date",
        inputs={
            "prcp": ("Prec", "mm/day"),
            "tmax": ("tmax", "°C"),
            "tmin": ("tmin", "°C"),
            "tmean": ("tmean", "°C"),
        },
        discharge="Q",
        unit="m3/s",
    ),
    "hymod": TableLayout(
        date="Date",
        inputs={"prcp": ("rainfall[mm]", "mm/day"), "pet": ("TURC [mm d-1]", "mm/day")},
        discharge="Discharge[ls-1]",
        unit="l/s",
    ),
}


class FuldaLeaf(TableDataset):
    """Basins in csv files; a basin is called as its file, without `.csv`."""

    def __init__(self, config: DataConfig, paths: Sequence[Path]) -> None:
        super().__init__()
        self.tables = files_of(paths)
        self.basins, self._areas = areas_of(config, list(self.tables))
        self._config = config
        self._layouts: dict[str, TableLayout] = {}

    def describe(self, basin: str) -> Basin:
        layout, area = self.layout(basin), self._areas.get(basin)
        inputs = {name: unit for name, (_, unit) in layout.inputs.items()}
        unit = "mm/day" if area else layout.unit.replace("m3", "m³")
        return Basin(basin, NAMES.get(basin, basin), area, unit, inputs, {})

    def layout(self, basin: str) -> TableLayout:
        """The layout whose columns the file has; the nearest where it has none."""
        if basin not in self._layouts:
            options = options_of(self._config)
            table = read_table(self.tables[basin], options)
            here = {column.casefold() for column in table.columns}
            lacks = {
                name: [column for column in _columns(layout) if column.casefold() not in here]
                for name, layout in LAYOUTS.items()
            }
            best = min(LAYOUTS, key=lambda name: len(lacks[name]) / len(_columns(LAYOUTS[name])))
            if lacks[best]:
                raise InputError(
                    f"column {lacks[best][0]!r} is missing",
                    where=table.path,
                    found=", ".join(table.columns),
                    expected=" or ".join(", ".join(_columns(layout)) for layout in LAYOUTS.values()),
                    fix="for columns of other names take dataset csv, and say what they are by the key 'columns'",
                )
            self._layouts[basin] = replace(LAYOUTS[best], options=options, form=self._config.time_format)
        return self._layouts[basin]


def _columns(layout: TableLayout) -> list[str]:
    return [layout.date, *(column for column, _ in layout.inputs.values()), layout.discharge]
