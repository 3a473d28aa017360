"""Hydrology, as the workflow and the report see it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

from deeprc.applications.base.application import METRICS, Application, Report
from deeprc.applications.hydrology.alone import lonely
from deeprc.applications.hydrology.batch import refuse_batch
from deeprc.applications.hydrology.config import DataConfig, HydrologyConfig, NetworkConfig
from deeprc.applications.hydrology.sources import sources
from deeprc.core.files import read_json
from deeprc.core.needs import Need


class Hydrology(Application):
    """Rainfall-runoff models of rivers."""

    name = "hydrology"
    configuration, preparation = HydrologyConfig, DataConfig
    untold = ("path", "ranks", "threads", "training")  # what counts of `training` is in `trained`
    goal = ("validation NSE", "higher")
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

    def refuse(self, options: HydrologyConfig, checked: dict) -> None:
        if options.variant == "entity-aware" and (alone := checked.get("alone")):
            raise lonely(alone)
        if windows := checked.get("training_windows"):
            refuse_batch(options, windows)

    def used(self, training: dict) -> dict:
        return {key: value for key, value in training.items() if key in NetworkConfig.model_fields}

    def cost(self, options: HydrologyConfig) -> float:
        return options.epochs * options.window * options.units * (options.units + 64)  # of an LSTM's step, roughly

    def figures(self, folder: Path) -> dict[str, float | None]:
        basins = read_json(folder / METRICS)["basins"].values()
        known = [one for one in basins if not one.get("held_out")]
        return {
            self.goal[0]: _median(one["val"]["nse"] for one in known),
            **{name: _median(one[name.lower()] for one in basins) for name in ("NSE", "KGE", "RMSE")},
        }

    def benches(self) -> dict[str, Callable]:
        from deeprc.applications.hydrology.command import basins

        return {"basins": basins}

    def report(self) -> Report:
        from deeprc.applications.hydrology import report

        return report


def _median(values: Iterable[float | None]) -> float | None:
    """That of all basins; None where one of them is not known."""
    values = list(values)
    return None if not values or any(value is None for value in values) else statistics.median(values)


APPLICATION = Hydrology()
