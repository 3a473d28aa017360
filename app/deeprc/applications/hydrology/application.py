"""Hydrology, as the workflow and the report see it."""

from __future__ import annotations

import json
from pathlib import Path

from deeprc.applications.base.application import CHECK, METRICS, Application, Report
from deeprc.applications.hydrology.config import HydrologyConfig
from deeprc.applications.hydrology.sources import sources
from deeprc.core.fingerprint import Record, part_of


class Hydrology(Application):
    """Rainfall-runoff models of rivers."""

    name = "hydrology"
    configuration = HydrologyConfig
    extras = {"hydrology": "tensorflow"}  # noqa: RUF012

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

    def preparing(self, options: HydrologyConfig) -> dict:
        return json.loads(options.data_json())

    def training(self, options: HydrologyConfig) -> dict:
        return json.loads(options.train_json())

    def products(self, folder: Path, record: Record) -> dict[Path, Record | None]:
        prepared = part_of(record)
        found = {folder / CHECK: prepared, folder / "prepared": prepared}
        return found | {folder / name: record for name in ("model", "predictions.arrow", METRICS)}

    def report(self) -> Report:
        from deeprc.applications.hydrology import report

        return report


APPLICATION = Hydrology()
