"""Daily csv files, one per basin, in the two layouts that spotpy 1.6.7 ships with its examples.

- `examples/cmf_data/fulda_climate.csv`: the Fulda at Grebenau; temperatures, precipitation, discharge in m3/s.
- `examples/hymod_python/hymod_input.csv`: rainfall, potential evaporation (Turc), discharge in l/s. It is called Leaf
  River after the basin of spotpy's older HYMOD example (1,944 km2), but its figures are those of another catchment:
  spotpy's set-up of it says 1.783 km2, and only with that area does the runoff (136-223 mm a year) fit the rain
  (458-574 mm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.errors import InputError
from deeprc.hydrology.config import AREAS, DataConfig
from deeprc.hydrology.dataset import Basin, Dataset, chosen, refuse_unobserved
from deeprc.hydrology.text import Table, lines_of, read_table

NAMES = {"fulda": "Fulda at Grebenau, Germany", "leaf-river": "HYMOD example catchment of spotpy"}


@dataclass(frozen=True)
class Layout:
    """How a csv file is laid out.

    Parameters
    ----------
    inputs
        By our name, the file's column and the unit.
    discharge, unit, litres
        The discharge's column, its unit, and that unit in litres per second.
    """

    separator: str
    date: str
    inputs: dict[str, tuple[str, str]]
    discharge: str
    unit: str
    litres: float


LAYOUTS = {
    "fulda": Layout(
        separator=",",
        date="date",
        inputs={
            "prcp": ("Prec", "mm/day"),
            "tmax": ("tmax", "°C"),
            "tmin": ("tmin", "°C"),
            "tmean": ("tmean", "°C"),
        },
        discharge="Q",
        unit="m³/s",
        litres=1000.0,
    ),
    "hymod": Layout(
        separator=";",
        date="Date",
        inputs={"prcp": ("rainfall[mm]", "mm/day"), "pet": ("TURC [mm d-1]", "mm/day")},
        discharge="Discharge[ls-1]",
        unit="l/s",
        litres=1.0,
    ),
}


class FuldaLeaf(Dataset):
    """Basins in csv files; a basin is called as its file, without `.csv`."""

    def __init__(self, config: DataConfig, paths: Sequence[Path]) -> None:
        files: dict[str, Path] = {}
        for path in paths:
            if (twin := files.setdefault(path.stem, path)) != path:
                raise InputError(
                    f"two files of the basin {path.stem!r}", where=path, found=twin, fix="rename one of them"
                )
        self.basins = chosen(config.basins, list(files), "key 'basins'")
        if config.areas != AREAS:
            chosen(list(config.areas), list(files), "key 'areas'")  # an area of a misspelt basin would be lost
        self._files = files
        self._areas = config.areas

    def describe(self, basin: str) -> Basin:
        layout = self._layout(basin)
        area = self._areas.get(basin)
        inputs = {name: unit for name, (_, unit) in layout.inputs.items()}
        return Basin(basin, NAMES.get(basin, basin), area, "mm/day" if area else layout.unit, inputs, {})

    def forcing(self, basin: str) -> pl.DataFrame:
        layout, table = self._layout(basin), self._table(basin)
        inputs = [table.numbers(column).alias(name) for name, (column, _) in layout.inputs.items()]
        return self._frame(basin, [self._dates(basin, table), *inputs])

    def discharge(self, basin: str) -> pl.DataFrame:
        layout, table = self._layout(basin), self._table(basin)
        observed = table.numbers(layout.discharge).alias("obs")
        observed = observed.set(observed < 0, None)  # -999 and the like: a river does not flow backwards
        refuse_unobserved(observed, f"{table.path}, column {layout.discharge!r}")
        if area := self._areas.get(basin):
            observed = observed * layout.litres * 86_400 / (area * 1e6)  # 1 litre on 1 m2 is 1 mm
        quality = pl.Series("quality", ["unflagged"] * len(observed)).set(observed.is_null(), "missing")
        return self._frame(basin, [self._dates(basin, table), observed, quality])

    def files(self, basin: str) -> list[Path]:
        return [self._files[basin]]

    def _layout(self, basin: str) -> Layout:
        """The layout of a basin's file: told by the separator of its first line."""
        head = lines_of(self._files[basin])[0]
        return LAYOUTS["hymod" if head.count(";") > head.count(",") else "fulda"]

    def _table(self, basin: str) -> Table:
        return read_table(self._files[basin], separator=self._layout(basin).separator)

    def _dates(self, basin: str, table: Table) -> pl.Series:
        days = table.dates([self._layout(basin).date], "%d.%m.%Y", "31.12.1988")
        table.refuse_repeated(days)
        return days

    @staticmethod
    def _frame(basin: str, columns: list[pl.Series]) -> pl.DataFrame:
        return pl.DataFrame(columns).select(pl.lit(basin).alias("basin"), pl.all()).sort("date")
