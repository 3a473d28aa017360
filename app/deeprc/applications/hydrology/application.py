"""Hydrology, as the workflow and the report see it."""

from __future__ import annotations

import json
from pathlib import Path

from deeprc.applications.base.application import Application, Report
from deeprc.applications.hydrology.config import DataConfig, HydrologyConfig, NetworkConfig
from deeprc.applications.hydrology.sources import sources
from deeprc.core.needs import Need


class Hydrology(Application):
    """Rainfall-runoff models of rivers."""

    name = "hydrology"
    configuration, preparation = HydrologyConfig, DataConfig
    untold = ("path", "ranks", "threads", "training")  # what counts of `training` is in `trained`
    needs = (Need("tensorflow", extra="hydrology", modules=("tensorflow",)),)

    def own(self, options: HydrologyConfig) -> list[str]:
        return options.paths

    def beside(self, options: HydrologyConfig) -> dict[str, str]:
        return {"attributes": options.attributes} if options.attributes else {}

    def public(self, options: HydrologyConfig) -> list[str]:
        return ["fulda", "leaf-river"]

    def subject(self, options: HydrologyConfig) -> str:
        return "river data"

    def files(self, options: HydrologyConfig, paths: list[str]) -> dict[str, Path]:
        return sources(options, paths)

    def given(self, paths: list[str]) -> list[str]:
        return paths

    def trained(self, options: HydrologyConfig) -> dict:
        return json.loads(options.train_json())

    def used(self, training: dict) -> dict:
        return {key: value for key, value in training.items() if key in NetworkConfig.model_fields}

    def report(self) -> Report:
        from deeprc.applications.hydrology import report

        return report


APPLICATION = Hydrology()
