"""Stage predict: simulated discharge of every day that has a complete window."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.scaler import Scaler
from deeprc.applications.base.trained import read_model, write_predictions
from deeprc.applications.hydrology.config import TrainConfig
from deeprc.applications.hydrology.prepared import read_prepared
from deeprc.applications.hydrology.samples import make_samples
from deeprc.applications.hydrology.train import WEIGHTS
from deeprc.core import fingerprint
from deeprc.core.errors import InputError
from deeprc.core.stage import run


def main(
    prepared: commandline.Prepared,
    model: commandline.Trained,
    out: Annotated[Path, typer.Option(help="the Arrow file to write: basin, date, split, obs, sim, quality")],
    threads: commandline.Threads = 1,
    device: commandline.Device = "auto",
) -> None:
    """Simulate the discharge of all basins.

    Example: `python -m deeprc.applications.hydrology.predict --prepared prepared --model model --out predictions.arrow`
    """
    from deeprc.applications.hydrology.fit import simulate
    from deeprc.applications.hydrology.network import build
    from deeprc.learning.checkpoints import tensors
    from deeprc.learning.peers import join
    from deeprc.learning.tensorflow import state
    from deeprc.learning.tensorflow.backend import start

    peers = join()
    data = read_prepared(prepared)
    trained = read_model(model, data.meta.get(fingerprint.KEY), prepared)
    options = TrainConfig(**trained["options"])
    start(threads=threads, seed=options.seed, device=device)
    frames = []
    for network in trained["networks"]:
        if strangers := set(network["basins"]) - set(data.basins):
            raise InputError("the model was trained on other basins", where=model, found=", ".join(sorted(strangers)))
        samples, _ = make_samples(data, network["basins"], Scaler(**network["weather"]))
        loaded = build(options, samples.window, samples.width, samples.static.shape[1])
        loaded.set_weights(state.of("", tensors.read(model / network["name"] / WEIGHTS)))
        days = samples.frame[samples.ends].select("basin", "date", "split", "obs", "quality")
        sim = simulate(loaded, samples, Scaler(**network["target"]), peers)
        if not np.isfinite(sim).all():
            raise InputError(
                f"the network {network['name']!r} simulates values that are not finite", where=model,
                fix="train it anew, with a lower 'learning_rate'",
            )  # fmt: skip
        frames.append(days.insert_column(4, pl.Series("sim", sim)))
    if peers.rank == 0:
        write_predictions(out, pl.concat(frames).sort("basin", "date").to_arrow(), trained.get(fingerprint.KEY))


if __name__ == "__main__":
    run(main)
