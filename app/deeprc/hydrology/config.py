"""The configuration of the hydrology pipeline (read by Snakemake at every start: nothing heavy is imported here)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(gt=0)]

# Catchment areas in km2 of the fetched basins, as spotpy 1.6.7 gives them: examples/spot_setup_cmf_lumped.py (Fulda at
# Grebenau) and examples/spot_setup_hymod_python.py (the small catchment of its HYMOD example).
AREAS = {"fulda": 2976.41, "leaf-river": 1.783}

# What each variant of the network takes for the keys that are left out.
VARIANTS: dict[str, dict[str, Any]] = {
    # tanh, no recurrent dropout: the LSTM that cuDNN can run, and small, so that a CPU trains it in a minute.
    "cudnn": {
        "window": 60,
        "units": 48,
        "epochs": 40,
        "batch_size": 128,
        "learning_rate": 3e-3,
        "dropout": 0.4,
        "patience": 10,
    },
    # The model that the Deep RC paper (JSSPP 2025) trains on CAMELS-US: 671 basins on accelerators; slow on a CPU.
    "paper": {
        "window": 21,
        "units": 320,
        "epochs": 60,
        "batch_size": 537,
        "learning_rate": 1e-4,
        "dropout": 0.2,
        "patience": 60,
    },
}


class DataConfig(BaseModel):
    """What `check` and `prepare` need: which data, which basins, how the time is split."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dataset: Literal["fulda-leaf", "camels-us"] = "fulda-leaf"
    """`fulda-leaf`: csv files, one per basin, in spotpy's two layouts; `camels-us`: the folder of that download."""
    forcing: str = "daymet"
    """CAMELS-US: the product, a folder of `basin_mean_forcing`."""
    basins: Annotated[list[str], Field(min_length=1)] | None = None
    """The basins to use; all that the data has, when left out."""
    areas: dict[str, Annotated[float, Field(gt=0)]] = AREAS
    """Catchment areas in km2 by basin, to turn discharge into mm/day (`fulda-leaf`; CAMELS-US files hold their own)."""
    split: tuple[Fraction, Fraction] = (0.5, 0.25)
    """Fractions of each basin's observed time that train and validate; what is left tests."""
    split_dates: tuple[date, date] | None = None
    """First day of the validation and of the test part, instead of fractions."""
    window: Positive = VARIANTS["cudnn"]["window"]
    """Days of weather that one day's discharge is computed from, that day included."""

    @model_validator(mode="after")
    def _parts_in_order(self) -> Self:
        if sum(self.split) >= 1:
            raise ValueError(
                f"split {list(self.split)} leaves nothing to test: the two fractions must add up to less than 1"
            )
        if self.split_dates and self.split_dates[0] >= self.split_dates[1]:
            raise ValueError("split_dates: the validation part must begin before the test part")
        return self


class TrainConfig(BaseModel):
    """What `train` needs beside the prepared data."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    variant: Literal["cudnn", "paper"] = "cudnn"
    """`cudnn` (small, quick) or `paper` (the published network); it also gives the other keys' defaults."""
    units: Positive = VARIANTS["cudnn"]["units"]
    """Size of the LSTM's state (of every layer, in `paper`)."""
    epochs: Positive = VARIANTS["cudnn"]["epochs"]
    """Passes over the training part, at most."""
    batch_size: Positive = VARIANTS["cudnn"]["batch_size"]
    """Windows per training step."""
    learning_rate: Annotated[float, Field(gt=0)] = VARIANTS["cudnn"]["learning_rate"]
    """Of Adam."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = VARIANTS["cudnn"]["dropout"]
    """The fraction of the LSTM's outputs (in `paper`: of its inputs and state) that a training step leaves out."""
    patience: Positive = VARIANTS["cudnn"]["patience"]
    """Epochs without a better validation NSE that end the training."""
    loss: Literal["nse", "mse"] = "nse"
    """`nse`: squared errors weighed per basin, as Kratzert et al. 2019; `mse`: all alike."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of the initial weights, the order of the windows and the dropout."""


class HydrologyConfig(DataConfig, TrainConfig):
    """The key `hydrology` of the workflow's configuration."""

    path: str | list[str] | None = None
    """Own data: csv files (`fulda-leaf`) or the folder (`camels-us`); left out, Fulda and Leaf River are fetched."""
    ranks: Positive = 2
    """MPI ranks of `prepare`."""
    threads: Positive = 1
    """Threads of `train` and `predict`."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_variant(cls, data: Any) -> Any:
        return {**VARIANTS.get(data.get("variant", "cudnn"), {}), **data} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _camels_is_not_fetched(self) -> Self:
        if self.dataset == "camels-us" and not isinstance(self.path, str):
            raise ValueError("dataset camels-us needs the key path: the folder that holds basin_mean_forcing")
        return self

    @property
    def paths(self) -> list[str]:
        """The own data's files or folder; empty when the data is fetched."""
        return [self.path] if isinstance(self.path, str) else list(self.path or [])

    def data_json(self) -> str:
        """The `--config` of check and prepare."""
        return self.model_dump_json(include=set(DataConfig.model_fields))

    def train_json(self) -> str:
        """The `--config` of train."""
        return self.model_dump_json(include=set(TrainConfig.model_fields))
