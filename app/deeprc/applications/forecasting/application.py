"""Forecasting, as the workflow and the report see it."""

from __future__ import annotations

import json
from pathlib import Path

from deeprc.applications.base.application import CHECK, METRICS, PREPARED, Application, Report
from deeprc.applications.forecasting.config import DataConfig, ForecastingConfig
from deeprc.core.fingerprint import Record, part_of, trained
from deeprc.core.needs import Need

SUBJECTS = {"beijing": "air quality data", "ett": "transformer data", "csv": "series"}


class Forecasting(Application):
    """Neural forecasts of one or many series."""

    name = "forecasting"
    configuration, preparation = ForecastingConfig, DataConfig
    untold = ("path", "ranks", "threads", "models", "steps", "seed", "training")  # the last four: in `trained`
    needs = (Need("torch", extra="forecasting", modules=("torch", "neuralforecast")),)

    def public(self, options: ForecastingConfig) -> list[str]:
        return [options.dataset]

    def subject(self, options: ForecastingConfig) -> str:
        return SUBJECTS[options.dataset]

    def trained(self, options: ForecastingConfig) -> dict:
        return {model: {"model": model, **json.loads(options.train_json(model))} for model in options.models}

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

    def report(self) -> Report:
        from deeprc.applications.forecasting import report

        return report


APPLICATION = Forecasting()
