"""The folder of the CAMELS-DE download (Loritz et al. 2024, doi:10.5194/essd-16-5625-2024).

`timeseries/CAMELS_DE_hydromet_timeseries_<gauge>.csv` and `CAMELS_DE_<kind>_attributes.csv`, as in version 1.0
(doi:10.5281/zenodo.13837553).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.applications.hydrology.datasets.published import PublishedDataset, beside, by_name

# Inputs and attributes of the LSTM that was published with the data (Loritz et al. 2024).
ATTRIBUTES = {
    "topographic": ("area", "elev_mean"),
    "soil": ("clay_0_30cm_mean", "sand_0_30cm_mean", "silt_0_30cm_mean"),
    "landcover": (
        "artificial_surfaces_perc",
        "agricultural_areas_perc",
        "forests_and_seminatural_areas_perc",
        "wetlands_perc",
        "water_bodies_perc",
    ),
    "climatic": (
        "p_mean",
        "p_seasonality",
        "frac_snow",
        "high_prec_freq",
        "low_prec_freq",
        "high_prec_dur",
        "low_prec_dur",
    ),
}


class CamelsDE(PublishedDataset):
    """The basins of CAMELS-DE, called DE110000 and so on."""

    word: ClassVar = "camels-de"
    inputs: ClassVar = {
        "precipitation_mean": ("precipitation_mean", "mm/day"),
        "precipitation_stdev": ("precipitation_stdev", "mm/day"),
        "radiation_global_mean": ("radiation_global_mean", "W/m²"),
        "temperature_min": ("temperature_min", "°C"),
        "temperature_max": ("temperature_max", "°C"),
    }
    target: ClassVar = "discharge_spec_obs"

    def find(self, root: Path) -> dict[str, Path]:
        layout = "the layout of CAMELS-DE: timeseries/, CAMELS_DE_*_attributes.csv"
        stem = "CAMELS_DE_hydromet_timeseries_"
        return by_name(root, f"{stem}*.csv", rf"{stem}(DE\w+)\.csv", layout)

    def attributes(self, root: Path, basins: Sequence[str]) -> Mapping[Path, Sequence[str] | None]:
        return {beside(root, f"CAMELS_DE_{kind}_attributes.csv"): columns for kind, columns in ATTRIBUTES.items()}
