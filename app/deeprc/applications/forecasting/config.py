"""The configuration of the forecasting pipeline (read by Snakemake at every start: nothing heavy is imported here)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from deeprc.applications.base.split import Split
from deeprc.applications.forecasting.idle import refuse_idle
from deeprc.applications.forecasting.intervals import Intervals
from deeprc.applications.forecasting.step import TimeStep
from deeprc.applications.forecasting.zoo import USUAL, ZOO, check_options, entry
from deeprc.core.errors import ConfigError
from deeprc.core.settings import Settings
from deeprc.learning.config import Optimisation, Precision, Reproducible, TorchTraining
from deeprc.learning.synchronisation import Synchronisation

Positive = Annotated[int, Field(gt=0)]
Column = Annotated[str, Field(min_length=1)]
Loss = Literal["mae", "mse", "huber"]
Level = Literal["last", "mean", "none"]


class DataConfig(Settings, BaseModel):
    """What `check` and `prepare` need."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    dataset: Literal["beijing", "ett", "csv"] = "beijing"
    """`csv`: a text table or Parquet file of your own; `beijing`: the hourly PM2.5 and weather of Beijing; `ett`: the
    files of ETT (ETTh1, ETTm1 and so on)."""
    title: str | None = None
    """What the data are called in the report; the file's name when left out."""
    unit: str | None = None
    """The target's unit, as it is to stand in the report."""
    time: Column | list[Column] | None = None
    """The column of the times, or the columns that make a time together (year, month, day, hour)."""
    target: Column | None = None
    """The column to forecast; the data set's own when left out (pm2.5, OT)."""
    covariates: list[Column] | None = None
    """The columns that models may see the past of; all others that hold numbers when left out, `[]` for none."""
    series: Column | None = None
    """The column that says which series a row belongs to; `unique_id` where the file has it. One model is trained for
    all series together."""
    leave_out: list[str | int] = []
    """Series that are not to be used, by their names in that column."""
    season: Positive | None = None
    """Steps of a season, for the seasonal naive forecast and MASE; 1 for none. From the step when left out (15 minutes:
    96, hours: 24, days: 7, weeks: 52, months: 12, quarters: 4)."""
    step: str | None = None
    """The time from one row to the next, such as `15m`, `1h`, `1d`, `1w`, `1mo`, `1q` or `1y`; found when left out."""
    time_format: str | None = None
    """The form of the times, such as `%d/%m/%Y %H:%M`; or `excel`, `s`, `ms`, `us`, `ns` for counts of days since 1899
    or of seconds (or parts of them) since 1970; found when left out."""
    time_zone: str | None = None
    """The zone of local times, such as `Europe/Berlin`: they become UTC, so that no hour stands twice in autumn; the
    times of days and longer steps stay."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """The character between two fields, such as `;`, `,` or a tab (`"\\t"`); found when left out."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign of numbers; found when left out."""
    encoding: str | None = None
    """The encoding of a text file, such as `latin-1`; UTF-8, UTF-16 and Windows-1252 are found."""
    missing: list[str] | None = None
    """Words or numbers that mean that a value is missing, such as `-9999`, beside NA, NaN, null, `-`, `?` and nothing.
    When left out, numbers such as -9999 that lie far below all others are missing too; `[]` makes them values."""
    horizon: Positive = 24
    """Steps ahead to forecast."""
    input_size: Positive = 96
    """Steps of the past to forecast from."""
    split: Split = (0.7, 0.1)
    """Fractions of the time that train and validate, of each series' own length; what is left tests."""
    max_gap: Annotated[int, Field(ge=0)] = 6
    """Gaps of at most so many steps are interpolated, where both ends lie before a forecast; longer ones count in no
    loss and no metric."""

    @field_validator("separator", mode="before")
    @classmethod
    def _tab_by_its_name(cls, value: object) -> object:
        return (
            {"\\t": "\t", "tab": "\t", "blank": " ", "space": " "}.get(value, value)
            if isinstance(value, str)
            else value
        )

    @field_validator("missing", mode="before")
    @classmethod
    def _words_and_numbers(cls, value: object) -> object:
        values = value if isinstance(value, list) or value is None else [value]
        return values and [word if isinstance(word, str) else json.dumps(word) for word in values]

    @field_validator("step")
    @classmethod
    def _step_is_understood(cls, step: str | None) -> str | None:
        return step if step is None else TimeStep.parse(step) and step


class ModelConfig(Settings, BaseModel):
    """What may be changed of one model; what is left out is as in the zoo."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    steps: Positive | None = None
    """Training steps, each on one batch of windows."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The largest of the one cycle that AdamW goes through."""
    batch_size: Positive | None = None
    """Windows per training step; of a model that forecasts all series together, times."""
    loss: Loss | None = None
    """What is made small: the mean absolute (when left out) or squared error, or Huber's (squared within 0.5 standard
    deviations). Of models that learn quantiles or a distribution it is theirs."""
    level: Level | None = None
    """What each window is shifted by before it is scaled by its own deviation: its `last` value (when left out; of a
    model that learns a distribution the mean) or its `mean`; `none`: windows stay as they are."""
    calendar: bool | None = None
    """Whether a model that takes the calendar (hour, weekday, month) is told it; it is, when left out."""
    validations: Positive | None = None
    """How often the weights are judged, instead of as `training.optimisation` says; those of the smallest validation
    loss are kept."""
    options: dict[str, Any] = {}
    """Arguments of the model's class that the zoo (`deeprc.applications.forecasting.zoo`) names, as `hidden_size`."""


class TrainConfig(Settings, BaseModel):
    """All that `train` needs of one model beside the prepared data."""

    model_config = ConfigDict(extra="forbid")

    steps: Positive
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    batch_size: Positive
    loss: Loss | None = None
    level: Level = "last"
    calendar: bool = True
    validations: Positive | None = None
    seed: Annotated[int, Field(ge=0)] = 1
    reproducible: Reproducible = "fixed"
    shards: Positive | None = None
    precision: Precision = "float32"
    intervals: Intervals = []
    synchronisation: Synchronisation = Synchronisation()
    optimisation: Optimisation = Optimisation()
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _quantiles_have_a_loss_of_their_own(self) -> Self:
        if self.intervals and self.loss:
            raise ValueError(f"with intervals models learn quantiles alone: leave out the key loss ({self.loss})")
        if not self.intervals and not self.loss:
            object.__setattr__(self, "loss", "mae")
        return self


def _names_or_mapping(schema: dict[str, Any]) -> None:
    """Tell editors that models may be one name, a list of names, or a mapping whose values may be empty."""
    mapping = {key: schema.pop(key) for key in ("type", "additionalProperties", "minProperties") if key in schema}
    mapping["additionalProperties"] = {"anyOf": [mapping["additionalProperties"], {"type": "null"}]}
    name = {"enum": list(ZOO)}
    schema["anyOf"] = [name, {"type": "array", "items": name, "minItems": 1}, {**mapping, "propertyNames": name}]


class ForecastingConfig(DataConfig):
    """The key `forecasting` of the workflow's configuration."""

    path: str | None = None
    """The data: a text table (csv) or a Parquet file; left out, the Beijing data are fetched."""
    models: dict[str, ModelConfig] = Field(
        {name: ModelConfig() for name in USUAL}, min_length=1, json_schema_extra=_names_or_mapping
    )
    """The models to train: one name, a list of names, or a mapping of names to changed options; the eleven of
    the paper when left out."""
    steps: Positive | None = None
    """Training steps of every model, instead of the zoo's."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Of every model, instead of the zoo's."""
    batch_size: Positive | None = None
    """Windows per training step of every model, instead of the zoo's."""
    intervals: Intervals = []
    """Central intervals to forecast, in percent from 1 with at most 3 decimals, such as `[80, 95]`. Models then learn
    the quantiles that these end at (DeepAR: a distribution, of which paths are drawn), and the forecast is the
    median."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of the initial weights, the order of the windows and the dropout."""
    ranks: Positive = 2
    """MPI ranks of `prepare`."""
    threads: Positive = 1
    """Threads of `train` and `predict`."""
    training: TorchTraining = TorchTraining()
    """How the models are trained: ranks, reproducibility, synchronisation, checkpoints."""

    @model_validator(mode="before")
    @classmethod
    def _names_become_a_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "models" not in data:
            return data
        models = data["models"]
        if isinstance(models, str):
            models = [models]
        if isinstance(models, list):
            models = {str(name): {} for name in models}
        if not isinstance(models, dict):
            return data
        models = {name: options or {} for name, options in models.items()}
        try:
            for name, options in models.items():
                entry(name)
                if isinstance(options, dict) and isinstance(options.get("options"), dict):
                    check_options(name, options["options"])
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return {**data, "models": models}

    @model_validator(mode="after")
    def _only_beijing_is_fetched(self) -> Self:
        if self.dataset != "beijing" and self.path is None:
            raise ValueError(f"dataset {self.dataset} needs the key path: the file")
        return self

    @model_validator(mode="after")
    def _fsdp_can_train_them(self) -> Self:
        whole = [name for name in self.models if entry(name).undivided]
        if self.training.synchronisation.kind == "fsdp" and whole:
            raise ValueError(
                f"synchronisation fsdp cannot train {', '.join(whole)}: torch cannot deal out their weights; name "
                "other models by the key models, or another kind"
            )
        return self

    @model_validator(mode="after")
    def _they_can_be_computed_in_it(self) -> Self:
        whole = [name for name in self.models if not entry(name).half]
        if (precision := self.training.precision) in ("bfloat16", "float16") and whole:
            raise ValueError(
                f"precision {precision} cannot train {', '.join(whole)}, whose Fourier transforms accelerators compute "
                "in float32: name other models by the key models, or give float32 or tf32"
            )
        return self

    @model_validator(mode="after")
    def _they_can_forecast_intervals(self) -> Self:
        if not self.intervals:
            return self
        if unable := [name for name in self.models if not entry(name).quantiles]:
            raise ValueError(
                f"{', '.join(unable)} cannot forecast intervals: leave out the key intervals, or name other models by "
                "the key models"
            )
        return self

    @model_validator(mode="after")
    def _options_have_an_effect(self) -> Self:
        refuse_idle(self.models, self.intervals)
        return self

    @model_validator(mode="after")
    def _steps_have_what_is_asked_of_them(self) -> Self:
        usual = self.training.optimisation
        given = usual.validations if usual.validations != Optimisation().validations else None  # the report gives all
        for name, own in self.models.items():
            self.training.refuse_batch(own.batch_size or self.batch_size or entry(name).batch_size, f" of {name}")
            steps, wanted = own.steps or self.steps or entry(name).steps, own.validations or given
            if (warmup := self.training.synchronisation.warmup or 0) >= steps:
                raise ValueError(
                    f"warmup {warmup}: {name} is trained for {steps} steps, and all of them would add whole gradients; "
                    "give less, or leave out the key synchronisation"
                )
            if wanted and wanted > steps:
                raise ValueError(f"validations {wanted}: {name} is trained for {steps} steps: give at most so many")
            judged = min(own.validations or usual.validations, steps)
            # The last one ends nothing, and of the others so many must follow the best.
            if usual.patience and usual.patience > judged - 2:
                raise ValueError(
                    f"patience {usual.patience}: with {judged} validations it can never end the training of {name}; "
                    + (f"give at most {judged - 2}" if judged > 2 else "leave it out, or give more validations")
                )
        return self

    @model_validator(mode="after")
    def _windows_are_wide_enough(self) -> Self:
        needs = {name: entry(name).smallest_input for name in self.models}
        narrow = [f"{name} ({least})" for name, least in needs.items() if self.input_size < least]
        if narrow:
            raise ValueError(
                f"input_size {self.input_size} is too small for {', '.join(narrow)}: give at least the number in "
                "brackets, or name other models by the key models"
            )
        return self

    def data_json(self) -> str:
        """The `--config` of check and prepare."""
        return self.model_dump_json(include=set(DataConfig.model_fields))

    def train_json(self, model: str) -> str:
        """The `--config` of train for one model."""
        default, own = entry(model), self.models[model]
        return TrainConfig(
            steps=own.steps or self.steps or default.steps,
            learning_rate=own.learning_rate or self.learning_rate or default.learning_rate,
            batch_size=own.batch_size or self.batch_size or default.batch_size,
            loss=own.loss,
            level=own.level or "last",
            calendar=own.calendar is not False,
            validations=own.validations or self.training.optimisation.validations,
            intervals=self.intervals,
            seed=self.seed,
            reproducible=self.training.reproducible,
            shards=self.training.shards if self.training.reproducible == "elastic" else None,
            precision=self.training.precision,
            synchronisation=self.training.synchronisation,
            optimisation=self.training.optimisation,
            options={**default.options, **own.options},
        ).model_dump_json()
