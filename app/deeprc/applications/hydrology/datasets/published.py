"""What CAMELS-GB, CAMELS-DE and Caravan share: a folder of csv files, one table per basin, attributes beside them."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets import values
from deeprc.applications.hydrology.datasets.attributes import read_attributes, read_places
from deeprc.applications.hydrology.datasets.base import (
    Basin,
    TableDataset,
    TableLayout,
    chosen,
    need_folder,
    one_folder,
    visible,
)
from deeprc.applications.hydrology.datasets.own import options_of
from deeprc.core.errors import InputError


class PublishedDataset(TableDataset):
    """A published data set; a reader of one has the two methods `find` and `attributes`, and these:

    Attributes
    ----------
    word
        For the key `dataset`.
    inputs
        By our name, the file's column and the unit.
    target
        The column of the discharge, in mm/day.
    """

    word: ClassVar[str]
    inputs: ClassVar[Mapping[str, tuple[str, str]]]
    target: ClassVar[str]

    def __init__(self, config: DataConfig, paths: Sequence[Path]) -> None:
        super().__init__()
        self._options = replace(options_of(config), separator=config.separator or ",", decimal=config.decimal or ".")
        self._form = config.time_format or "%Y-%m-%d"
        self.root = one_folder(self.word, paths)
        self.tables = self.find(self.root)
        self.basins = chosen(config.basins, sorted(self.tables), "key 'basins'")

    @abstractmethod
    def find(self, root: Path) -> dict[str, Path]:
        """The table of each basin below the folder `root`."""

    @abstractmethod
    def attributes(self, root: Path, basins: Sequence[str]) -> Mapping[Path, Sequence[str] | None]:
        """The files of the attributes of `basins`, each with the columns to take (None: all numbers).

        `area`, in km2, must be among them. None may be made from discharge: it would reveal the test part's.
        """

    def describe(self, basin: str) -> Basin:
        names, attributes = self._attributes
        mine = attributes[basin]
        area = values.area(mine["area"], f"attribute 'area' of the basin {basin}")
        inputs = {name: unit for name, (_, unit) in self.inputs.items()}
        return Basin(basin, names.get(basin, basin), area, "mm/day", inputs, mine, self._places.get(basin))

    def layout(self, basin: str) -> TableLayout:
        return TableLayout("date", self.inputs, self.target, "mm/day", self._form, self._options)

    @cached_property
    def _attributes(self) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
        names: dict[str, str] = {}
        attributes: dict[str, dict[str, float]] = {}
        for group in self.groups().values():
            some_names, some = read_attributes(self.attributes(self.root, group), group, options=self._options)
            names, attributes = names | some_names, attributes | some
        # Of several files each may have some of its own, and an order of its own: all basins have the same ones.
        every = list(dict.fromkeys(name for mine in attributes.values() for name in mine))
        shared = [name for name in every if all(name in mine for mine in attributes.values())]
        if lost := [name for name in every if name not in shared]:
            self.said[self.basins[0]] = [f"attributes that not all basins have are left out: {', '.join(lost)}"]
        return names, {basin: {name: mine[name] for name in shared} for basin, mine in attributes.items()}

    @cached_property
    def _places(self) -> dict[str, tuple[float, float]]:
        places: dict[str, tuple[float, float]] = {}
        for group in self.groups().values():
            places |= read_places(self.attributes(self.root, group), group, options=self._options)
        return places

    def groups(self) -> dict[str, list[str]]:
        """The basins by the files that their attributes are in: all in one, unless a data set has it otherwise."""
        return {"": list(self.basins)}


def by_name(root: Path, pattern: str, name: str, layout: str) -> dict[str, Path]:
    """The files in `root`/timeseries by the basin in their name, which `name` finds.

    Parameters
    ----------
    pattern, name
        Of the files' names: what to look for, and a regular expression whose group is the basin.
    """
    folder = need_folder(root / "timeseries", layout)
    found = {match[1]: path for path in visible(folder, pattern) if (match := re.fullmatch(name, path.name))}
    if not found:
        raise InputError("the folder has no files of basins", where=folder, expected=pattern)
    return found


def beside(root: Path, file: str) -> Path:
    """A file of attributes: in the folder itself, as it is published, or in one called `attributes`."""
    return root / "attributes" / file if (root / "attributes" / file).is_file() else root / file
