"""The folder of the Caravan download as csv (Kratzert et al. 2023, doi:10.1038/s41597-023-01975-w), or of an extension.

`timeseries/csv/<subset>/<subset>_<gauge>.csv`, and in `attributes/<subset>/` attributes_caravan_<subset>.csv and those
called hydroatlas and other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.applications.hydrology.datasets.base import need_folder, visible
from deeprc.applications.hydrology.datasets.published import PublishedDataset
from deeprc.core.errors import InputError

# Of HydroATLAS' 195: elevation, slope, forest, clay, silt, sand, karst, lakes, built-up land, glaciers.
HYDROATLAS = (
    "ele_mt_sav", "slp_dg_sav", "for_pc_sse", "cly_pc_sav", "slt_pc_sav", "snd_pc_sav", "kar_pc_sse", "lka_pc_sse",
    "urb_pc_sse", "gla_pc_sse",
)  # fmt: skip


class Caravan(PublishedDataset):
    """The basins of Caravan, called camelsgb_12001 and so on."""

    word: ClassVar = "caravan"
    # Without potential evaporation: too high in many catchments (doi:10.5194/hess-28-4219-2024), and its column has
    # another name in each version.
    inputs: ClassVar = {
        "total_precipitation_sum": ("total_precipitation_sum", "mm/day"),
        "temperature_2m_mean": ("temperature_2m_mean", "°C"),
        "temperature_2m_min": ("temperature_2m_min", "°C"),
        "temperature_2m_max": ("temperature_2m_max", "°C"),
        "surface_net_solar_radiation_mean": ("surface_net_solar_radiation_mean", "W/m²"),
    }
    target: ClassVar = "streamflow"

    def find(self, root: Path) -> dict[str, Path]:
        layout = "the layout of Caravan: attributes/, timeseries/csv/ (the csv files, not the netCDF ones)"
        folder = need_folder(root / "timeseries" / "csv", layout)
        found = {path.stem: path for path in visible(folder, "*.csv") if path.stem.startswith(f"{path.parent.name}_")}
        if not found:
            raise InputError(
                "the folder has no files of basins", where=folder, expected="<subset>/<subset>_<gauge>.csv"
            )
        return found

    def attributes(self, root: Path, basins: Sequence[str]) -> Mapping[Path, Sequence[str] | None]:
        subset = self.tables[basins[0]].parent.name
        folder = root / "attributes" / subset
        wanted = {"caravan": None, "hydroatlas": HYDROATLAS, "other": ("area",)}
        return {folder / f"attributes_{kind}_{subset}.csv": columns for kind, columns in wanted.items()}

    def groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for basin in self.basins:
            groups.setdefault(self.tables[basin].parent.name, []).append(basin)
        return groups
