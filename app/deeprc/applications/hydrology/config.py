"""The configuration of the hydrology pipeline (read by Snakemake at every start: nothing heavy is imported here)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deeprc.applications.base.split import Split
from deeprc.applications.hydrology.datasets import DATASETS
from deeprc.core.settings import Settings
from deeprc.learning.config import Reproducible, Training

Positive = Annotated[int, Field(gt=0)]

# Catchment areas in km2 of the fetched basins, as spotpy 1.6.7 gives them: examples/spot_setup_cmf_lumped.py (Fulda at
# Grebenau) and examples/spot_setup_hymod_python.py (the small catchment of its HYMOD example).
AREAS = {"fulda": 2976.41, "leaf-river": 1.783}

# What each variant of the network takes for the keys that are left out.
VARIANTS: dict[str, dict[str, Any]] = {
    # tanh, no recurrent dropout, so that cuDNN can run it on a GPU; and small, so that a CPU trains it in a minute.
    "small": {
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
    # Kratzert et al. 2019 on CAMELS-US, 531 basins (their rate falls by steps, ours along a cosine).
    "entity-aware": {
        "window": 270,
        "units": 256,
        "epochs": 30,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "dropout": 0.4,
        "patience": 30,
    },
}


# What frames call their own columns: an input of these names would be one of them.
RESERVED = {"basin", "date", "line", "obs", "obs_line", "quality", "sim", "split"}


class DataConfig(Settings, BaseModel):
    """What `check` and `prepare` need: which data, which basins, how the time is split."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dataset: Literal[tuple(DATASETS)] = "fulda-leaf"
    """`fulda-leaf`: csv files, one per basin, in spotpy's two layouts; `csv`: tables of your own (key `columns`);
    `camels-us`, `camels-gb`, `camels-de`, `caravan`: the folder of that download."""
    columns: dict[str, Annotated[str, Field(min_length=1)] | list[str]] = {}
    """`csv`: what the columns are called in your tables, by what they are: `date` (or a list of columns that make it),
    `discharge`, `basin` where a table holds several, and each input under a name of your choice."""
    discharge_unit: Literal["m3/s", "l/s", "ft3/s", "ML/day", "mm/day"] | None = None
    """`csv`: the unit of the discharge in your tables."""
    attributes: str | None = None
    """`csv`: a table with one row per basin; its numbers are given to the network (and `area`, in km2, is the area)."""
    time_format: str | None = None
    """The form of dates, such as `%d.%m.%y`; found when left out."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """The character between two fields of your tables; found when left out."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign in your tables; found when left out."""
    encoding: str | None = None
    """The encoding of your tables' text, such as `latin-1`; found when left out."""
    missing: list[str | float] = []
    """More words or numbers that mean that a value is missing, beside NA, nan, nothing, -999 and -9999."""
    forcing: str = "daymet"
    """CAMELS-US: the product, a folder of `basin_mean_forcing`."""
    basins: Annotated[list[str], Field(min_length=1)] | None = None
    """The basins to use; all that the data has, when left out."""
    held_out: list[str] = []
    """Basins that no network learns from: their figures tell what it makes of a river without a gauge. They need
    attributes."""
    areas: dict[str, Annotated[float, Field(gt=0, le=8e6, allow_inf_nan=False)]] = AREAS
    """Catchment areas in km2 by basin, to turn discharge into mm/day (`fulda-leaf` and `csv`; published data sets hold
    their own)."""
    split: Split = (0.5, 0.25)
    """Fractions of each basin's observed time that train and validate; what is left tests."""
    split_dates: tuple[date, date] | None = None
    """First day of the validation and of the test part, instead of fractions."""
    window: Positive = VARIANTS["small"]["window"]
    """Days of weather that one day's discharge is computed from, that day included."""

    @field_validator("missing", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: object) -> object:
        return [value] if isinstance(value, str | int | float) else value

    @model_validator(mode="after")
    def _columns_say_what_is_needed(self) -> Self:
        if self.dataset != "camels-us" and self.forcing != type(self).model_fields["forcing"].default:
            raise ValueError(f"key 'forcing': it is for dataset camels-us, not {self.dataset}")
        own = {"columns": self.columns, "discharge_unit": self.discharge_unit, "attributes": self.attributes}
        if self.dataset != "csv":
            if given := [key for key, value in own.items() if value]:
                raise ValueError(f"key {given[0]!r}: it is for dataset csv, not {self.dataset}")
            if self.dataset == "camels-us" and (self.separator or self.decimal):
                raise ValueError("keys 'separator' and 'decimal': the files of camels-us have blanks and points")
            return self
        if "discharge" not in self.columns:
            raise ValueError("dataset csv needs the column of the discharge: key 'columns', discharge")
        inputs = [name for name in self.columns if name not in ("date", "discharge", "basin")]
        if not inputs:
            raise ValueError("dataset csv needs inputs: key 'columns', a name and the column, such as rain: P [mm]")
        for name, column in self.columns.items():
            if name in RESERVED - {"date", "basin"}:
                raise ValueError(f"key 'columns': {name!r} is a name of ours, give this input another")
            if isinstance(column, list) and name != "date":
                raise ValueError(f"key 'columns', {name}: one column, not a list")
            if name not in ("discharge", "date", "basin") and column == self.columns["discharge"]:
                raise ValueError(f"key 'columns', {name}: the discharge is no input, the network would see the answer")
        if not self.discharge_unit:
            raise ValueError("dataset csv needs the key 'discharge_unit': m3/s, l/s, ft3/s, ML/day or mm/day")
        return self

    @model_validator(mode="after")
    def _those_held_out_are_used(self) -> Self:
        if self.basins and (strange := set(self.held_out) - set(self.basins)):
            raise ValueError(f"held_out: {', '.join(sorted(strange))} is none of the key 'basins'")
        return self

    @model_validator(mode="after")
    def _parts_in_order(self) -> Self:
        if self.split_dates and self.split_dates[0] >= self.split_dates[1]:
            raise ValueError("split_dates: the validation part must begin before the test part")
        if self.split_dates and self.split != type(self).model_fields["split"].default:
            raise ValueError("keys 'split' and 'split_dates': the dates count, the fractions have no effect; give one")
        return self


class NetworkConfig(Settings, BaseModel):
    """The network, and how it learns."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    variant: Literal["small", "paper", "entity-aware"] = "small"
    """`small` (quick), `paper` (the published network) or `entity-aware` (an LSTM whose input gate is the basin's
    attributes; for several basins); it also gives the other keys' defaults."""
    units: Positive = VARIANTS["small"]["units"]
    """Size of the LSTM's state (of every layer, in `paper`)."""
    epochs: Positive = VARIANTS["small"]["epochs"]
    """Passes over the training part, at most."""
    batch_size: Positive = VARIANTS["small"]["batch_size"]
    """Windows per training step; all of the training part where it has fewer."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = VARIANTS["small"]["learning_rate"]
    """Of Adam."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = VARIANTS["small"]["dropout"]
    """The fraction of the LSTM's outputs (in `paper`: of its inputs and state) that a training step leaves out."""
    patience: Positive = VARIANTS["small"]["patience"]
    """Epochs without a better validation NSE that end the training."""
    loss: Literal["nse", "mse"] = "nse"
    """`nse`: squared errors weighed per basin, as Kratzert et al. 2019; `mse`: all alike."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of the initial weights, the order of the windows and the dropout."""

    @field_validator("variant", mode="before")
    @classmethod
    def _is_called_small_now(cls, value: Any) -> Any:
        if value == "cudnn":
            raise ValueError("the variant 'cudnn' is called 'small' now")
        return value


class TrainConfig(NetworkConfig):
    """All that `train` needs beside the prepared data."""

    reproducible: Reproducible = "fixed"
    shards: Positive | None = None
    precision: Literal["float32", "bfloat16", "tf32"] = "float32"


class HydrologyConfig(DataConfig, NetworkConfig):
    """The key `hydrology` of the workflow's configuration."""

    path: str | list[str] | None = None
    """Own data: the tables (`fulda-leaf`, `csv`) or the folder; left out, Fulda and Leaf River are fetched."""
    ranks: Positive = 2
    """MPI ranks of `prepare`."""
    threads: Positive = 1
    """Threads of `train` and `predict`."""
    training: Training = Training()
    """How the networks are trained: ranks, reproducibility, checkpoints."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_variant(cls, data: Any) -> Any:
        return {**VARIANTS.get(data.get("variant", "small"), {}), **data} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _only_the_demo_is_fetched(self) -> Self:
        several = self.dataset in ("fulda-leaf", "csv")
        if (self.path is None and self.dataset != "fulda-leaf") or not (several or isinstance(self.path, str)):
            raise ValueError(f"dataset {self.dataset} needs the key path: {DATASETS[self.dataset][2]}")
        return self

    @model_validator(mode="after")
    def _each_rank_has_a_window(self) -> Self:
        self.training.refuse_batch(self.batch_size)
        if self.training.reproducible == "elastic" and self.batch_size < self.training.shards:
            raise ValueError(
                f"batch_size {self.batch_size}: less than a window for each of {self.training.shards} shards; give a "
                "larger one, or fewer training.shards"
            )
        return self

    @field_validator("training")
    @classmethod
    def _tensorflow_can_do_it(cls, value: Training) -> Training:
        if value.device == "xpu":
            raise ValueError("device xpu: TensorFlow computes on processors and cuda here")
        if value.precision == "float16":
            raise ValueError("precision float16: TensorFlow's networks take bfloat16 or tf32 here")
        if value.backend not in ("auto", "mpi4py"):
            raise ValueError(f"backend {value.backend}: that of TensorFlow here is mpi4py; leave the key out")
        return value

    @property
    def paths(self) -> list[str]:
        """The own data's files or folder; empty when the data is fetched."""
        return [self.path] if isinstance(self.path, str) else list(self.path or [])

    def data_json(self) -> str:
        """The `--config` of check and prepare."""
        return self.model_dump_json(include=set(DataConfig.model_fields))

    def train_json(self) -> str:
        """The `--config` of train."""
        return TrainConfig(
            **self.model_dump(include=set(NetworkConfig.model_fields)),
            reproducible=self.training.reproducible,
            shards=self.training.shards if self.training.reproducible == "elastic" else None,
            precision=self.training.precision,
        ).model_dump_json()
