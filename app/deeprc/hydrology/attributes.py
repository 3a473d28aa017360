"""Static attributes of the CAMELS-US basins (Addor et al. 2017, doi:10.5194/hess-21-5293-2017)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deeprc.errors import InputError
from deeprc.hydrology.text import read_table

ATTRIBUTES_FOLDER = "camels_attributes_v2.0"

# The attributes that Kratzert et al. 2019 use, by file. None of camels_hydro: they are made from the discharge of all
# years, the test part's too.
ATTRIBUTES = {
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


def read_attributes(folder: Path, basins: Sequence[str]) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """The names and the attributes of `basins`.

    Returns
    -------
    names
        Basin to the gauge's name.
    values
        Basin to its attributes by name.

    Raises
    ------
    InputError
        When a basin, a column or a value is missing.
    """
    table = read_table(folder / "camels_name.txt", separator=";")
    names = dict(zip(table.column("gauge_id"), table.column("gauge_name"), strict=True))
    values: dict[str, dict[str, float]] = {basin: {} for basin in basins}
    for file, wanted in ATTRIBUTES.items():
        table = read_table(folder / file, separator=";")
        rows = {gauge: row for row, gauge in enumerate(table.column("gauge_id"))}
        for name in wanted:
            numbers = table.numbers(name)
            for basin in basins:
                if basin not in rows or numbers[rows[basin]] is None:
                    raise InputError(
                        f"no attribute {name!r} of the basin {basin}",
                        where=folder / file,
                        fix=f"add it, or name the basins to use without {basin} (key 'basins')",
                    )
                values[basin][name] = numbers[rows[basin]]
    return names, values
