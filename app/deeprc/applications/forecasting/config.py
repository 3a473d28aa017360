"""The configuration of the forecasting pipeline (read by Snakemake at every start: nothing heavy is imported here)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deeprc.applications.forecasting.data_config import DataConfig, Positive
from deeprc.applications.forecasting.idle import refuse_idle, refuse_judges, refuse_untold
from deeprc.applications.forecasting.intervals import Intervals
from deeprc.applications.forecasting.zoo import USUAL, ZOO, check_options, entry
from deeprc.core.errors import ConfigError
from deeprc.core.settings import Settings
from deeprc.learning.config import Optimisation, Precision, Reproducible, TorchTraining
from deeprc.learning.synchronisation import Synchronisation

Loss = Literal["mae", "mse", "huber"]
Level = Literal["last", "mean", "none"]


class ModelConfig(Settings, BaseModel):
    """What may be changed of one model; what is left out is as in the zoo."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    steps: Positive | None = None
    """Training steps, each on one batch of windows."""
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The largest of the one cycle that AdamW goes through."""
    batch_size: Positive | None = None
    """Windows per training step, at most all of the training part; of a model that forecasts all series together,
    times."""
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
    with_validation: bool = False
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

    @model_validator(mode="after")
    def _nothing_judges_by_what_is_learned_from(self) -> Self:
        if self.with_validation:
            refuse_judges({}, self.optimisation, stage=True)
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
    """Windows per training step of every model, at most all of the training part, instead of the zoo's."""
    intervals: Intervals = Field([])
    """Central intervals to forecast, in percent from 1 with at most 3 decimals, such as `[80, 95]`. Models then learn
    the quantiles that these end at (DeepAR: a distribution, of which paths are drawn), and the forecast is the
    median."""
    with_validation: bool = False
    """Whether models learn from the validation part, too, whose windows then choose nothing: the weights of the last
    step are kept. For settings that were found before, with the validation part held out."""
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
        refuse_untold(self.calendar_as, self.models)
        if self.with_validation:
            refuse_judges(self.models, self.training.optimisation)
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
            with_validation=self.with_validation,
            seed=self.seed,
            reproducible=self.training.reproducible,
            shards=self.training.shards if self.training.reproducible == "elastic" else None,
            precision=self.training.precision,
            synchronisation=self.training.synchronisation,
            optimisation=self.training.optimisation,
            options={**default.options, **own.options},
        ).model_dump_json()
