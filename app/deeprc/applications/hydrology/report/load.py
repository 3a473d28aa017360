"""What the hydrology pipeline left behind: metrics, the check of the data, predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.applications.base.application import METRICS
from deeprc.applications.base.results import check_kinds, read_frame, read_results
from deeprc.core.fingerprint import KEY
from deeprc.reporting.section import Results, Score

SKILLS = ("nse", "kge", "rmse", "bias", "days")


@dataclass(frozen=True)
class HydrologyResults(Results):
    """The hydrology results, with the predictions `basin`, `date`, `split`, `obs`, `sim` (or None)."""

    predictions: pl.DataFrame | None

    def tables(self) -> dict[str, pl.DataFrame]:
        """The predictions."""
        return {} if self.predictions is None else {"predictions": self.predictions}

    def scores(self) -> list[Score]:
        """NSE and KGE of each basin; of the same days."""
        made = (self.metrics.get(KEY) or {}).get("prepare") or {}
        split = {name: made.get(name) for name in ("split", "split_dates")}
        return [
            Score(key, row.get("name") or key, what, row.get(what.lower()), "higher",
                  {name: row.get(name) for name in ("unit", "days")} | {"held out": bool(row.get("held_out"))} | split)
            for what in ("NSE", "KGE")
            for key, row in self.metrics["basins"].items()
        ]  # fmt: skip


def read(folder: Path | None) -> HydrologyResults | None:
    """The hydrology results in `folder`; None where there are none."""
    if folder is None or (found := read_results(folder, basins=dict)) is None:
        return None
    path = folder / "predictions.arrow"
    predictions = read_frame(path, "basin", "date", "split", "obs", "sim") if path.is_file() else None
    metrics = found.metrics
    check_kinds(metrics, {"dataset": str}, where=folder / METRICS)
    skills = dict.fromkeys(SKILLS, float)
    others = {"name": str, "unit": str, "beats_reference": bool, "held_out": bool, "train": dict, "references": dict}
    for name, row in metrics["basins"].items():
        check_kinds(row, skills | others, where=folder / METRICS, key=f"basins.{name}")
        for part, figures in (("train", row.get("train")), *(row.get("references") or {}).items()):
            check_kinds(figures or {}, skills, where=folder / METRICS, key=f"basins.{name}.{part}")
    return HydrologyResults(metrics, found.check, predictions)
