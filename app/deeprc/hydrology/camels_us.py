"""The folder of the CAMELS-US download (Newman et al. 2015, doi:10.5194/hess-19-209-2015).

Below `basin_mean_forcing/<product>/` and `usgs_streamflow/`, the files lie flat or in one folder per region (`01` …
`18`), as in the full download. The attributes folder lies beside them, or beside the folder that holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import polars as pl

from deeprc.errors import InputError, unknown
from deeprc.hydrology import quality
from deeprc.hydrology.attributes import ATTRIBUTES_FOLDER, read_attributes
from deeprc.hydrology.config import DataConfig
from deeprc.hydrology.dataset import Basin, Dataset, chosen, refuse_unobserved
from deeprc.hydrology.text import Table, lines_of, read_table

# The five inputs of Kratzert et al. 2019 (doi:10.5194/hess-23-5089-2019): name, column in the file, unit.
INPUTS = {
    "prcp": ("prcp(mm/day)", "mm/day"),
    "srad": ("srad(W/m2)", "W/m²"),
    "tmax": ("tmax(C)", "°C"),
    "tmin": ("tmin(C)", "°C"),
    "vp": ("vp(Pa)", "Pa"),
}
FORCING_HEADER = 4  # latitude, elevation (m), area (m2), then the column names
CUBIC_FOOT = 28.316846592  # litres
DOWNLOAD = "basin_dataset_public_v1p2"  # the folder that the published archive unpacks to


class CamelsUS(Dataset):
    """The basins of CAMELS-US."""

    def __init__(self, config: DataConfig, paths: Sequence[Path]) -> None:
        if len(paths) != 1:
            raise InputError("camels-us is one folder", found=f"{len(paths)} paths", fix="name one folder")
        self._given = paths[0]
        root = self._given / DOWNLOAD if (self._given / DOWNLOAD).is_dir() else self._given
        products = sorted(path.name for path in _folder(root / "basin_mean_forcing").iterdir() if path.is_dir())
        if config.forcing not in products:
            raise unknown("forcing product", config.forcing, products, where=root / "basin_mean_forcing")
        forcing, discharge = root / "basin_mean_forcing" / config.forcing, root / "usgs_streamflow"
        self._forcing = _files(forcing, "*_forcing_leap.txt")
        self._discharge = _files(_folder(discharge), "*_streamflow_qc.txt")
        self.basins = chosen(config.basins, sorted(self._forcing | self._discharge), "key 'basins'")
        for basin in self.basins:
            _need(basin, self._forcing, "forcing", forcing, "discharge")
            _need(basin, self._discharge, "discharge", discharge, "forcing")

    def describe(self, basin: str) -> Basin:
        inputs = {name: unit for name, (_, unit) in INPUTS.items()}
        names, values = self._attributes
        return Basin(basin, names.get(basin, basin), self._area(basin), "mm/day", inputs, values.get(basin, {}))

    def forcing(self, basin: str) -> pl.DataFrame:
        table = read_table(self._forcing[basin], separator=None, header=FORCING_HEADER)
        columns = [table.numbers(column).alias(name) for name, (column, _) in INPUTS.items()]
        return _frame(basin, table, ("Year", "Mnth", "Day"), columns)

    def discharge(self, basin: str) -> pl.DataFrame:
        path = self._discharge[basin]
        table = read_table(path, separator=None, header=None, names=("gauge", "year", "month", "day", "Q", "flag"))
        flags = quality.words(table.column("flag"))
        if flags.null_count():
            row = flags.is_null().arg_max()
            raise InputError(
                "unknown quality flag",
                where=f"{path}:{table.fields['line'][row]}",
                found=repr(table.fields["flag"][row]),
                expected="one of " + ", ".join(quality.WORDS),
                fix=f"mend this line ({flags.null_count()} such lines in all)",
            )
        observed = table.numbers("Q")
        missing = (flags == "missing") | (observed < 0) | observed.is_null()  # a missing day holds -999
        # cubic feet/s to mm/day: 1 litre on 1 m2 is 1 mm
        depth = observed.set(missing, None) * CUBIC_FOOT * 86_400 / (self._area(basin) * 1e6)
        refuse_unobserved(depth, path)
        return _frame(basin, table, ("year", "month", "day"), [depth.alias("obs"), flags.set(missing, "missing")])

    def files(self, basin: str) -> list[Path]:
        return [self._forcing[basin], self._discharge[basin]]

    def _area(self, basin: str) -> float:
        """Catchment area in km2: line 3 of the forcing file, m2."""
        path = self._forcing[basin]
        head = lines_of(path)[:FORCING_HEADER]
        try:
            return float(head[2]) / 1e6
        except (IndexError, ValueError):
            found = head[2] if len(head) > 2 else "the end of the file"
            raise InputError("not an area", where=f"{path}:3", found=repr(found), expected="the area in m2") from None

    @cached_property
    def _attributes(self) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
        for parent in (self._given, self._given.parent, self._given / DOWNLOAD):
            if (folder := parent / ATTRIBUTES_FOLDER).is_dir():
                return read_attributes(folder, self.basins)
        return {}, {}


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(
            "this folder is missing",
            where=path,
            expected="the layout of the CAMELS-US download: basin_mean_forcing/, usgs_streamflow/",
            fix="give the folder that holds both with the key 'path'",
        )
    return path


def _files(folder: Path, pattern: str) -> dict[str, Path]:
    """The files of a folder and its region folders, by basin (the 8 digits that their names begin with)."""
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob(pattern)):
        basin = path.name.split("_")[0]
        twin = files.setdefault(basin, path)
        if twin != path and twin.read_bytes() != path.read_bytes():
            raise InputError(
                f"two different files of the basin {basin}", where=path, found=twin, fix="remove one of them"
            )
    if not files:
        raise InputError("the folder has no files of basins", where=folder, expected=pattern)
    return files


def _need(basin: str, files: dict[str, Path], kind: str, folder: Path, other: str) -> None:
    if basin not in files:
        raise InputError(
            f"no {kind} file of the basin {basin}, which has {other}",
            where=folder,
            expected=f"{basin}_….txt",
            fix=f"add the file, or name the basins to use without {basin} (key 'basins')",
        )


def _frame(basin: str, table: Table, date: Sequence[str], columns: list[pl.Series]) -> pl.DataFrame:
    days = table.dates(date, "%Y %m %d", "2000 01 31")
    table.refuse_repeated(days)
    return pl.DataFrame([days, *columns]).select(pl.lit(basin).alias("basin"), pl.all()).sort("date")
