"""Stage `predict`: forecasts of the held-out time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.trained import read_model, write_predictions
from deeprc.core import fingerprint
from deeprc.core.errors import InputError
from deeprc.core.stage import run


def main(
    prepared: commandline.Prepared,
    model: commandline.Trained,
    out: Annotated[Path, typer.Option(help="the Arrow file to write")],
    threads: commandline.Threads = 1,
    device: commandline.Device = "auto",
) -> None:
    """Forecast the test part, one horizon after the other, with the rows before each as its past.

    Where the model has intervals, their quantiles are columns, too (`q0.1` and so on), and `yhat` is the median.

    Example:
    `python -m deeprc.applications.forecasting.predict --prepared prepared --model models/NHITS --out NHITS.arrow`
    """
    import numpy as np
    import pyarrow as pa

    from deeprc.applications.forecasting.intervals import column, quantiles
    from deeprc.applications.forecasting.network import Forecaster, forecast
    from deeprc.applications.forecasting.series import load
    from deeprc.learning.checkpoints import tensors
    from deeprc.learning.peers import join
    from deeprc.learning.torch import device as devices
    from deeprc.learning.torch import state
    from deeprc.learning.torch.loop import make_deterministic

    peers = join()
    series = load(prepared)
    about = read_model(model, series.meta.get(fingerprint.KEY), prepared)
    on = devices.device(device)
    make_deterministic(about["seed"], threads, strict=on.type == "cpu")
    seen = {
        "level": about.get("level", "last"),
        "calendar": about.get("calendar", True),
        "intervals": about.get("intervals", []),
    }  # once no choice
    network = Forecaster(about["name"], about["options"], series.meta, **seen).to(on)
    network.load_state_dict(state.tensors("", tensors.read(model / "weights.safetensors")))
    horizon = series.meta["horizon"]
    origins = series.origins("test", stride=horizon)
    number = np.repeat(series.number(origins), horizon).astype(np.int32)
    rows = origins[:, None] + np.arange(horizon)
    found = series.unscaled(forecast(network, series, origins, peers), origins)
    if not np.isfinite(found).all():
        raise InputError(f"{about['name']} forecasts values that are not finite", where=model, fix="train it anew")
    if peers.rank:
        return
    columns, told = {"yhat": found.ravel()}, {}
    if levels := quantiles(seen["intervals"]):
        # A larger quantile below a smaller one is none: in order they fit no worse (Chernozhukov et al. 2010,
        # doi:10.3982/ECTA7880).
        crossed = (np.diff(found, axis=-1) < 0).any(-1)
        columns = dict(zip(map(column, levels), np.sort(found, axis=-1).reshape(-1, len(levels)).T, strict=True))
        told = {"intervals": json.dumps(seen["intervals"]), "crossed": str(int(crossed.sum()))}
        if crossed.any():
            print(
                f"note: {crossed.sum():,} of {crossed.size:,} values have quantiles that crossed; they are in order now"
            )
    table = pa.table(
        {
            "id": pa.DictionaryArray.from_arrays(number, series.ids),
            "origin": np.repeat(series.ds[origins], horizon),
            "ds": series.ds[rows.ravel()],
            "step": np.tile(np.arange(1, horizon + 1, dtype=np.int16), len(origins)),
            "y": pa.array(series.y_raw[rows.ravel()], from_pandas=True),
            **columns,
        }
    )
    write_predictions(out, table, about.get(fingerprint.KEY), parameters=str(about["parameters"]), **told)
    print(f"{about['name']}: {len(origins)} forecasts of {horizon} steps")


if __name__ == "__main__":
    run(main)
