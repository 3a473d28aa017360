"""A data set of basins: what every reader offers, and which reader reads which data set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.errors import InputError, unknown
from deeprc.hydrology.config import DataConfig


@dataclass(frozen=True)
class Basin:
    """One basin.

    Parameters
    ----------
    name
        What a reader of the report calls it.
    area
        Catchment area in km2; None where it is not known.
    unit
        Of its discharge: mm/day where the area is known.
    inputs
        The columns of its forcing, with their units.
    attributes
        What stays the same over time (climate, soil, …), by name; the same names for all basins of a data set.
    """

    basin: str
    name: str
    area: float | None
    unit: str
    inputs: dict[str, str]
    attributes: dict[str, float]


class Dataset(ABC):
    """Basins whose forcing and discharge are read basin by basin, so that ranks can share the work."""

    basins: Sequence[str]

    @abstractmethod
    def describe(self, basin: str) -> Basin:
        """What is known of `basin`, from the heads of its files."""

    @abstractmethod
    def forcing(self, basin: str) -> pl.DataFrame:
        """Daily weather: `basin` str, `date` and one float64 column per input, null where missing; sorted by date."""

    @abstractmethod
    def discharge(self, basin: str) -> pl.DataFrame:
        """Daily discharge: `basin` str, `date`, `obs` float64 (the basin's unit; null: missing), `quality` str."""

    @abstractmethod
    def files(self, basin: str) -> list[Path]:
        """The files that `basin` is read from."""


def open_dataset(config: DataConfig, paths: Sequence[Path]) -> Dataset:
    """The data set that `config` names, in the files or the folder `paths`."""
    from deeprc.hydrology.camels_us import CamelsUS
    from deeprc.hydrology.fulda_leaf import FuldaLeaf

    return {"fulda-leaf": FuldaLeaf, "camels-us": CamelsUS}[config.dataset](config, paths)


def chosen(wanted: Sequence[str] | None, known: Sequence[str], where: object) -> list[str]:
    """The basins to use: those wanted, or all known.

    Raises
    ------
    ConfigError
        For a wanted basin that the data does not have.
    """
    for basin in wanted or ():
        if basin not in known:
            raise unknown("basin", basin, known, where=where)
    return list(wanted or known)


def refuse_unobserved(observed: pl.Series, where: object) -> None:
    """Raise InputError when a basin has no discharge at all."""
    if observed.null_count() == len(observed):
        raise InputError(
            "all discharge values are missing",
            where=where,
            found=f"{len(observed)} days without a value",
            expected="observed discharge to train and to test on",
            fix="leave this basin out (key 'basins'), or mend its file",
        )
