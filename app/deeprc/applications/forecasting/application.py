"""Forecasting, as the workflow and the report see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from deeprc.applications.base.application import CHECK, METRICS, PREPARED, Application, Report
from deeprc.applications.forecasting.apart import apart
from deeprc.applications.forecasting.config import DataConfig, ForecastingConfig
from deeprc.applications.forecasting.idle import refuse_large_batch
from deeprc.applications.forecasting.optional import PACKAGE
from deeprc.applications.forecasting.zoo import entry
from deeprc.core.errors import ConfigError
from deeprc.core.files import read_json
from deeprc.core.fingerprint import Record, part_of, trained
from deeprc.core.needs import Need

SUBJECTS = {"beijing": "air quality data", "ett": "transformer data", "csv": "series"}


class Forecasting(Application):
    """Neural forecasts of one or many series."""

    name = "forecasting"
    configuration, preparation = ForecastingConfig, DataConfig
    # In `trained`: the models and what follows.
    untold = (
        "path",
        "ranks",
        "threads",
        "models",
        "steps",
        "learning_rate",
        "batch_size",
        "intervals",
        "with_validation",
        "seed",
        "training",
    )
    goal = ("validation loss", "lower")
    needs = (Need("torch", extra="forecasting", modules=("torch", "neuralforecast")),)
    optional = (PACKAGE,)

    def public(self, options: ForecastingConfig) -> list[str]:
        return [options.dataset]

    def subject(self, options: ForecastingConfig) -> str:
        return SUBJECTS[options.dataset]

    def trained(self, options: ForecastingConfig) -> dict:
        return {model: {"model": model, **json.loads(options.train_json(model))} for model in options.models}

    def refuse(self, options: ForecastingConfig, checked: dict) -> None:
        if (found := checked.get("series_of_other_times")) and (
            joint := [name for name in options.models if entry(name).joint]
        ):
            raise apart(joint[0], *found)
        if windows := checked.get("windows_with_validation" if options.with_validation else "training_windows"):
            refuse_large_batch(options, windows)

    def products(self, folder: Path, record: Record) -> dict[Path, Record | None]:
        prepared = part_of(record)
        found = {folder / CHECK: prepared, folder / PREPARED: prepared}
        for model, options in record.get("train", {}).items():
            found[folder / "models" / model] = trained(prepared, options)
            found[folder / "predictions" / f"{model}.arrow"] = trained(prepared, options)
        return found | {folder / METRICS: record}

    def used(self, training: dict) -> dict:
        own = {name: {key: told[key] for key in told if key != "model"} for name, told in training.items()}
        return {"models": own} if own else {}

    def axes(self, options: ForecastingConfig) -> dict[str, list]:
        return {"models": list(options.models)}

    def cost(self, options: ForecastingConfig) -> float:
        if len(options.models) > 1:
            raise ConfigError(
                "a trial of a sweep has one model",
                found=", ".join(options.models),
                fix="list the models one by one: models: [NHITS, GRU]",
            )
        if options.with_validation:
            raise ConfigError(
                "a sweep ranks its trials by the validation part, which with_validation learns from",
                fix="leave out with_validation, and give it afterwards beside the options that were found",
            )
        (model,) = options.models
        used, usual = json.loads(options.train_json(model)), entry(model)
        windows = used["steps"] * used["batch_size"] / usual.batch_size
        return usual.milliseconds * windows * (options.input_size + options.horizon)

    def measure(self, options: ForecastingConfig) -> str:
        (model,) = options.models.values()
        return (
            f"quantiles of {', '.join(f'{one:g} %' for one in options.intervals)}"
            if options.intervals
            else model.loss or "mae"
        )

    def figures(self, folder: Path) -> dict[str, float | None]:
        (model,) = (folder / "models").iterdir()
        losses = read_json(model / "model.json")["validation_loss"]
        told = read_json(folder / METRICS)["models"][model.name]
        figures = {name: told[name.lower()] for name in ("MAE", "RMSE", "MASE")}
        if "crps" in told:  # with `intervals`
            figures |= {"CRPS": told["crps"]}
            figures |= {f"coverage of {percent} %": part for percent, part in told["coverage"].items()}
        return {self.goal[0]: min(loss for _, loss in losses), **figures}

    def halved(self, folder: Path) -> int | None:
        (model,) = (folder / "models").iterdir()
        return read_json(model / "model.json").get("halved_at")

    def benches(self) -> dict[str, Callable]:
        from deeprc.applications.forecasting.accuracy.command import accuracy
        from deeprc.applications.forecasting.speed.command import training

        return {"accuracy": accuracy, "training": training}

    def report(self) -> Report:
        from deeprc.applications.forecasting import report

        return report


APPLICATION = Forecasting()
