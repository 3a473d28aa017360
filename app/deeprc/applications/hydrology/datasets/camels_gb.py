"""The folder of the CAMELS-GB download (Coxon et al. 2020, doi:10.5194/essd-12-2459-2020).

`timeseries/CAMELS_GB_hydromet_timeseries_<gauge>_<first>-<last>.csv` and `CAMELS_GB_<kind>_attributes.csv`, by the
data's supporting document (doi:10.5285/8344e4f3-d2ea-44f5-8afa-86d2987543a9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.applications.hydrology.datasets.published import PublishedDataset, beside, by_name

# Three inputs, and attributes, as Lees et al. 2021 (doi:10.5194/hess-25-5517-2021); none of the hydrologic ones.
ATTRIBUTES = {
    "topographic": ("area", "elev_mean", "dpsbar"),
    "climatic": (
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
    "landcover": ("dwood_perc", "ewood_perc", "grass_perc", "shrub_perc", "crop_perc", "urban_perc", "inwater_perc"),
    "soil": ("sand_perc", "silt_perc", "clay_perc", "porosity_hypres", "conductivity_hypres", "soil_depth_pelletier"),
}


class CamelsGB(PublishedDataset):
    """The basins of CAMELS-GB; a basin is called by its number in the National River Flow Archive."""

    word: ClassVar = "camels-gb"
    inputs: ClassVar = {
        "precipitation": ("precipitation", "mm/day"),
        "pet": ("pet", "mm/day"),
        "temperature": ("temperature", "°C"),
    }
    target: ClassVar = "discharge_spec"

    def find(self, root: Path) -> dict[str, Path]:
        layout = "the layout of CAMELS-GB: timeseries/, CAMELS_GB_*_attributes.csv (its folder `data`)"
        stem = "CAMELS_GB_hydromet_timeseries_"
        return by_name(root, f"{stem}*.csv", rf"{stem}(\d+)_\d{{8}}-\d{{8}}\.csv", layout)

    def attributes(self, root: Path, basins: Sequence[str]) -> Mapping[Path, Sequence[str] | None]:
        return {beside(root, f"CAMELS_GB_{kind}_attributes.csv"): columns for kind, columns in ATTRIBUTES.items()}
