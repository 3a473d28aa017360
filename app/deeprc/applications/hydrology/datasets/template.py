"""A template: copy this file to read a data set of one csv file per basin, and name it in `datasets/__init__.py`.

Say here whose data they are (with doi), and how the folder is laid out. Data of another kind (two files per basin, as
CAMELS-US) are a `Dataset` of their own: see `base.py` and `camels_us.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from deeprc.applications.hydrology.datasets.published import PublishedDataset, beside, by_name


class Template(PublishedDataset):
    """The basins of the data set."""

    word: ClassVar = "template"  # for the key `dataset`
    inputs: ClassVar = {  # our name: the column in the file, and its unit
        "prcp": ("precipitation", "mm/day"),
        "tmean": ("temperature", "°C"),
    }
    target: ClassVar = "discharge"  # in mm/day; for another unit overwrite `layout`

    def find(self, root: Path) -> dict[str, Path]:
        """The file of each basin: here `timeseries/gauge_<basin>.csv`."""
        return by_name(root, "gauge_*.csv", r"gauge_(\w+)\.csv", "timeseries/ and attributes.csv")

    def attributes(self, root: Path, basins: Sequence[str]) -> Mapping[Path, Sequence[str] | None]:
        """The files of the attributes (first column `gauge_id`), each with the columns to take; `area` in km2."""
        return {beside(root, "attributes.csv"): ("area", "elev_mean")}
