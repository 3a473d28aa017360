"""Which files the basins are read from, known without reading one: what a product's record of its data is made of.

Light, since Snakemake asks at every start. A data set that is not named here is all visible files of its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

from deeprc.applications.hydrology.config import DataConfig
from deeprc.core.contents import named


def _camels_us(config: DataConfig, file: PurePath) -> bool:
    """Discharge, attributes and the product of forcing that is used, of the basins that are used."""
    if not {"usgs_streamflow", "basin_mean_forcing"} & set(file.parts):
        return any(part.startswith("camels_attributes") for part in file.parts)
    if "basin_mean_forcing" in file.parts and config.forcing not in file.parts:
        return False
    return config.basins is None or file.name.split("_")[0] in config.basins


def _of_basins(config: DataConfig, file: PurePath) -> bool:
    """Tables of the basins that are used, and attributes (CAMELS-GB, CAMELS-DE, Caravan)."""
    if file.suffix != ".csv" or "timeseries" not in file.parts:
        return file.suffix == ".csv" and "attributes" in file.name
    marks = file.stem.split("_")
    return config.basins is None or file.stem in config.basins or bool(set(marks) & set(config.basins))


READ: dict[str, Callable[[DataConfig, PurePath], bool]] = {
    "camels-us": _camels_us,
    **dict.fromkeys(("camels-gb", "camels-de", "caravan"), _of_basins),
}


def sources(config: DataConfig, paths: Iterable[str | Path]) -> dict[str, Path]:
    """The files by name: those of `paths`, and the attributes: the table that is named, or a folder beside."""
    paths = [Path(path) for path in [*paths, *filter(None, [config.attributes])]]
    beside = [path.absolute().parent.glob("camels_attributes*") for path in paths if path.is_dir()]
    read = READ.get(config.dataset, lambda config, file: True)
    files = named([*paths, *sorted(folder for found in beside for folder in found if folder.is_dir())])
    return {name: path for name, path in files.items() if read(config, path)}
