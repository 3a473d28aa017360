"""The folder of the CAMELS-US download (Newman et al. 2015, doi:10.5194/hess-19-209-2015).

Below `basin_mean_forcing/<product>/` and `usgs_streamflow/`, the files lie flat or in one folder per region (`01` …
`18`), as in the full download. The attributes folder lies beside them, or beside the folder that holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import polars as pl

from deeprc.applications.base.tabular import TableOptions, read_table
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets import quality, values
from deeprc.applications.hydrology.datasets.attributes import read_attributes, read_places
from deeprc.applications.hydrology.datasets.base import Basin, Dataset, chosen, need_folder, one_folder, visible
from deeprc.applications.hydrology.datasets.own import options_of
from deeprc.core.errors import InputError, unknown

# The five inputs of Kratzert et al. 2019 (doi:10.5194/hess-23-5089-2019): name, column in the file, unit.
INPUTS = {
    "prcp": ("prcp(mm/day)", "mm/day"),
    "srad": ("srad(W/m2)", "W/m²"),
    "tmax": ("tmax(C)", "°C"),
    "tmin": ("tmin(C)", "°C"),
    "vp": ("vp(Pa)", "Pa"),
}
FORCING = TableOptions(separator=" ", header=4)  # latitude, elevation (m), area (m2), then the column names
DISCHARGE = TableOptions(separator=" ", names=("gauge", "year", "month", "day", "Q", "flag"))
OF_ATTRIBUTES = TableOptions(separator=";", decimal=".")
DOWNLOAD = "basin_dataset_public_v1p2"  # the folder that the published archive unpacks to
LAYOUT = "the layout of the CAMELS-US download: basin_mean_forcing/, usgs_streamflow/"

# The attributes that Kratzert et al. 2019 use (Addor et al. 2017, doi:10.5194/hess-21-5293-2017), by file. None of
# camels_hydro: they are made from the discharge of all years, the test part's too.
ATTRIBUTES_FOLDER = "camels_attributes_v2.0"
ATTRIBUTES = {
    "camels_name.txt": (),
    "camels_topo.txt": ("elev_mean", "slope_mean", "area_gages2"),
    "camels_clim.txt": (
        "p_mean",
        "pet_mean",
        "p_seasonality",
        "frac_snow",
        "aridity",
        "high_prec_freq",
        "high_prec_dur",
        "low_prec_freq",
        "low_prec_dur",
    ),
    "camels_vege.txt": ("frac_forest", "lai_max", "lai_diff", "gvf_max", "gvf_diff"),
    "camels_soil.txt": (
        "soil_depth_pelletier",
        "soil_depth_statsgo",
        "soil_porosity",
        "soil_conductivity",
        "max_water_content",
        "sand_frac",
        "silt_frac",
        "clay_frac",
    ),
    "camels_geol.txt": ("carbonate_rocks_frac", "geol_permeability"),
}


class CamelsUS(Dataset):
    """The basins of CAMELS-US: two files for each, so that it is no `TableDataset`."""

    def __init__(self, config: DataConfig, paths: Sequence[Path]) -> None:
        self.notices = {}
        self._given, self._form = one_folder("camels-us", paths), config.time_format
        self._missing = options_of(config).missing
        root = self._given / DOWNLOAD if (self._given / DOWNLOAD).is_dir() else self._given
        folder = need_folder(root / "basin_mean_forcing", LAYOUT)
        products = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        if config.forcing not in products:
            raise unknown("forcing product", config.forcing, products, where=root / "basin_mean_forcing")
        forcing, discharge = root / "basin_mean_forcing" / config.forcing, root / "usgs_streamflow"
        self._forcing = _files(forcing, "*_forcing_leap.txt")
        self._discharge = _files(need_folder(discharge, LAYOUT), "*_streamflow_qc.txt")
        self.basins = chosen(config.basins, sorted(self._forcing | self._discharge), "key 'basins'")
        for basin in self.basins:
            _need(basin, self._forcing, "forcing", forcing, "discharge")
            _need(basin, self._discharge, "discharge", discharge, "forcing")

    def describe(self, basin: str) -> Basin:
        inputs = {name: unit for name, (_, unit) in INPUTS.items()}
        names, attributes = self._attributes
        name, mine, place = names.get(basin, basin), attributes.get(basin, {}), self._places.get(basin)
        return Basin(basin, name, self._area(basin), "mm/day", inputs, mine, place)

    def forcing(self, basin: str) -> pl.DataFrame:
        table = read_table(self._forcing[basin], replace(FORCING, missing=self._missing))
        columns = [values.weather(table, column, name) for name, (column, _) in INPUTS.items()]
        frame = values.in_order(table, basin, values.days(table, ("Year", "Mnth", "Day"), self._form), columns)
        self.notices.setdefault(basin, []).extend(table.notices)
        return frame

    def discharge(self, basin: str) -> pl.DataFrame:
        table = read_table(self._discharge[basin], replace(DISCHARGE, missing=self._missing))
        gauges = table.text("gauge")
        if (strange := gauges.ne_missing(basin)).any():
            row = int(strange.arg_max())
            raise InputError(
                "the file of another gauge", where=table.where(row, "gauge"), found=gauges[row], expected=basin,
                fix="mend the file's name, or its first column",
            )  # fmt: skip
        flags = quality.words(table.text("flag"))
        if flags.null_count():
            row = int(flags.is_null().arg_max())
            raise InputError(
                "unknown quality flag",
                where=table.where(row),
                found=repr(table.text("flag")[row]),
                expected="one of " + ", ".join(quality.WORDS),
                fix=f"mend this line ({flags.null_count()} such lines in all)",
            )
        observed = values.flow(table, "Q")
        missing = (flags == "missing") | observed.is_null()  # a missing day holds -999
        depth = values.depth(observed.set(missing, None), "ft3/s", self._area(basin))
        days = values.days(table, ("year", "month", "day"), self._form)
        columns = [depth.alias("obs"), flags.set(missing, "missing")]
        return values.in_order(table, basin, days, columns)

    def files(self, basin: str) -> list[Path]:
        return [self._forcing[basin], self._discharge[basin]]

    def _area(self, basin: str) -> float:
        """Catchment area in km2: line 3 of the forcing file, m2."""
        path = self._forcing[basin]
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head = [line.rstrip("\n") for line in islice(file, 3)]
        try:
            size = float(head[2])
        except (IndexError, ValueError):
            found = head[2] if len(head) > 2 else "the end of the file"
            raise InputError("not an area", where=f"{path}:3", found=repr(found), expected="the area in m2") from None
        return values.area(size, f"{path}:3", "m2")

    @cached_property
    def _attributes(self) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
        return read_attributes(self._wanted, self.basins, options=OF_ATTRIBUTES) if self._wanted else ({}, {})

    @cached_property
    def _places(self) -> dict[str, tuple[float, float]]:
        return read_places(self._wanted, self.basins, options=OF_ATTRIBUTES)

    @cached_property
    def _wanted(self) -> dict[Path, Sequence[str]]:
        """The attributes' files, with the columns to take."""
        parents = (self._given, self._given.parent, self._given / DOWNLOAD)
        folder = next((there for parent in parents if (there := parent / ATTRIBUTES_FOLDER).is_dir()), None)
        return {folder / file: columns for file, columns in ATTRIBUTES.items()} if folder else {}


def _files(folder: Path, pattern: str) -> dict[str, Path]:
    """The files of a folder and its region folders, by basin (the 8 digits that their names begin with)."""
    files: dict[str, Path] = {}
    for path in visible(folder, pattern):
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
