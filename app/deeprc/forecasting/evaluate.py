"""Stage `evaluate`: how good the forecasts are, beside two that need no model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from deeprc import fingerprint
from deeprc.errors import InputError
from deeprc.files import write_json
from deeprc.forecasting.metrics import scores, seasonal_scale
from deeprc.forecasting.series import Series, load
from deeprc.prepared import read_arrow
from deeprc.stage import run

SEASON = 24  # hours: the day


def naive_forecasts(series: Series) -> dict[str, np.ndarray]:
    """The last known value, and the value of the same hour of the last day, for each forecast of the test part.

    Returns
    -------
    dict
        name -> forecasts [windows, horizon] in the target's unit.
    """
    horizon, (mean, deviation) = series.meta["horizon"], series.scale
    known = series.y.astype(np.float64) * deviation + mean  # gaps filled, as the models see them
    origins = series.origins("test", stride=horizon)
    season = origins[:, None] - SEASON + np.arange(horizon) % SEASON
    return {
        "last value": np.repeat(known[origins - 1][:, None], horizon, axis=1),
        "seasonal naive": known[season],
    }


def main(
    predictions: Annotated[list[Path], typer.Argument(help="the models' forecasts")],
    prepared: Annotated[Path, typer.Option(help="the prepared folder")],
    out: Annotated[Path, typer.Option(help="the metrics to write (JSON)")],
) -> None:
    """Compare forecasts with what was observed: MAE, RMSE, sMAPE, MASE.

    Example: `python -m deeprc.forecasting.evaluate --prepared prepared --out metrics.json predictions/*.arrow`
    """
    series = load(prepared)
    horizon = series.meta["horizon"]
    origins = series.origins("test", stride=horizon)
    rows = origins[:, None] + np.arange(horizon)
    y, counts = series.y_raw[rows], series.observed[rows]
    scale = seasonal_scale(series.y_raw[: series.meta["cuts"][0]], SEASON)

    def judge(yhat: np.ndarray) -> dict:
        return scores(y[counts], yhat[counts], scale)

    made_from = series.meta.get(fingerprint.KEY)
    naive = {name: judge(yhat) for name, yhat in naive_forecasts(series).items()}
    models, trained = {}, {}
    for path in sorted(predictions):
        table = read_arrow(path)
        record = fingerprint.from_arrow(table.schema.metadata)
        fingerprint.refuse(path, fingerprint.part_of(record), made_from, prepared)
        trained[path.stem] = (record or {}).get("train")
        times = table["origin"].to_numpy(), table["ds"].to_numpy()
        if not all(map(np.array_equal, times, (np.repeat(series.ds[origins], horizon), series.ds[rows.ravel()]))):
            raise InputError("these forecasts are of other times than the prepared test part", where=path)
        result = judge(table["yhat"].to_numpy().reshape(rows.shape))
        # Worse than both naive forecasts: the model has learned nothing of use, and the report says so.
        useful = result["mae"] < max(row["mae"] for row in naive.values())
        size = int(table.schema.metadata[b"parameters"])
        models[path.stem] = {**result, "beats_naive": useful, "parameters": size}
    meta = {key: series.meta[key] for key in ("dataset", "target", "unit", "horizon", "input_size")}
    first, last = (np.datetime_as_string(series.ds[rows.ravel()[i]], unit="m") for i in (0, -1))
    write_json(
        out,
        {
            **meta,
            "windows": len(origins),
            "hours": int(counts.sum()),
            "first": str(first),
            "last": str(last),
            "models": models,
            "naive": naive,
            fingerprint.KEY: fingerprint.trained(made_from, trained),
        },
    )
    best = min(models, key=lambda name: models[name]["mae"])
    print(f"best: {best} (MAE {models[best]['mae']:.2f} {meta['unit']})")


if __name__ == "__main__":
    run(main)
