"""The data sets that can be read: each a file with a class, imported only when its data are read.

To add one: write its file as `template.py` shows, and give it a word here, for the key `dataset`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeprc.applications.hydrology.config import DataConfig
    from deeprc.applications.hydrology.datasets.base import Dataset

# Word -> module and class, and what the key `path` names.
DATASETS = {
    "fulda-leaf": ("fulda_leaf", "FuldaLeaf", "the csv files"),
    "csv": ("own", "Own", "your table, a list of tables, or a folder of them"),
    "camels-us": ("camels_us", "CamelsUS", "the folder that holds basin_mean_forcing"),
    "camels-gb": ("camels_gb", "CamelsGB", "the folder that holds timeseries and CAMELS_GB_*_attributes.csv"),
    "camels-de": ("camels_de", "CamelsDE", "the folder that holds timeseries and CAMELS_DE_*_attributes.csv"),
    "caravan": ("caravan", "Caravan", "the folder that holds attributes and timeseries/csv"),
}


def open_dataset(config: DataConfig, paths: Sequence[Path]) -> Dataset:
    """The data set that `config` names, in the files or the folder `paths`."""
    module, name, _ = DATASETS[config.dataset]
    return getattr(import_module(f"{__name__}.{module}"), name)(config, paths)
