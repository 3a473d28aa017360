"""What the forecasting pipeline left behind: metrics, the check of the data, predictions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.applications.base.application import METRICS
from deeprc.applications.base.results import check_kinds, read_frame, read_results
from deeprc.core.errors import InputError
from deeprc.core.fingerprint import KEY
from deeprc.reporting.section import Results, Score

MEASURES = ("mae", "rmse", "smape", "mase")
OF_INTERVALS = ("crps", "wql", "crossed")
COMPARED = {"MAE": "mae", "RMSE": "rmse", "MASE": "mase", "CRPS": "crps"}  # with the run before; all are better lower
TASK = ("target", "unit", "horizon", "step", "season", "windows", "values", "first", "last")


@dataclass(frozen=True)
class ForecastingResults(Results):
    """The forecasting results.

    Attributes
    ----------
    predictions
        By model: `origin`, `ds`, `step`, `y`, `yhat` in original units, quantiles, and of several series `id`. A model
        without any is left out.
    """

    predictions: dict[str, pl.DataFrame]

    def tables(self) -> dict[str, pl.DataFrame]:
        """The predictions of all models, each row with its model's name."""
        frames = [pl.select(model=pl.lit(name)).join(frame, how="cross") for name, frame in self.predictions.items()]
        return {"predictions": pl.concat(frames, how="diagonal")} if frames else {}

    def scores(self) -> list[Score]:
        """Each model's errors; of the same values, of the same data whatever its files are called."""
        told = self.metrics
        sums = sorted({*((told.get(KEY) or {}).get("data") or {}).values()})
        under = {name: told.get(name) for name in TASK} | {"data": ", ".join(sum_[:12] for sum_ in sums)}
        return [
            Score(name, name, what, row.get(key), "lower", under)
            for what, key in COMPARED.items()
            for name, row in told["models"].items()
            if key in row
        ]


def read(folder: Path | None) -> ForecastingResults | None:
    """The forecasting results in `folder`; None where there are none."""
    if folder is None or (found := read_results(folder, models=dict, naive=dict, horizon=int)) is None:
        return None
    metrics = found.metrics
    check_kinds(metrics, {"windows": int, "target": str, "dataset": str, "unit": str}, where=folder / METRICS)
    check_kinds(
        metrics,
        {
            "step": str,
            "ahead": str,
            "season": int,
            "season_length": str,
            "series": dict,
            "references": dict,
            "not_judged": dict,
        },
        where=folder / METRICS,
    )
    for kind, figures in (
        ("models", (*MEASURES, *OF_INTERVALS, "parameters")),
        ("naive", MEASURES),
        ("references", MEASURES),
    ):
        for name, row in (metrics.get(kind) or {}).items():
            kinds = dict.fromkeys(figures, float) | {"worse_than": list, "model": str, "windows": int}
            kinds |= {"coverage": dict, "width": dict}
            check_kinds(row, kinds, where=folder / METRICS, key=f"{kind}.{name}")
            for key in ("coverage", "width"):
                _check_intervals(row.get(key) or {}, folder / METRICS, f"{kind}.{name}.{key}")
    for name, row in (metrics.get("series") or {}).items():
        check_kinds(row, {"models": dict, "naive": dict}, where=folder / METRICS, key=f"series.{name}")
        for kind in ("models", "naive"):
            for other, figures in (row.get(kind) or {}).items():
                check_kinds(
                    figures, dict.fromkeys(MEASURES, float), where=folder / METRICS, key=f"series.{name}.{kind}.{other}"
                )
    several = ("id",) if metrics.get("series") else ()
    files = {name: folder / "predictions" / f"{name}.arrow" for name in metrics["models"]}
    predictions = {
        name: read_frame(path, "origin", "ds", "step", "y", "yhat", *several)
        for name, path in files.items()
        if path.is_file()
    }
    drawn = {name: frame for name, frame in predictions.items() if frame.height}
    return ForecastingResults(metrics, found.check, drawn)


def _check_intervals(row: dict, where: Path, key: str) -> None:
    """Refuse what is no number by percent."""
    check_kinds(row, dict.fromkeys(row, float), where=where, key=key)
    for name in row:
        try:
            known = 0 < float(name) < 100
        except ValueError:
            known = False
        if not known:
            raise InputError(f"the key {key!r} has an interval that is none", where=where, found=name[:80])
