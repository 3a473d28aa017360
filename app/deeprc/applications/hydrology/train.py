"""Stage train: one network per group of alike basins."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import sealed
from deeprc.applications.base.trained import MODEL
from deeprc.applications.hydrology.backend import keras, start
from deeprc.applications.hydrology.config import TrainConfig
from deeprc.applications.hydrology.fit import fit
from deeprc.applications.hydrology.network import build
from deeprc.applications.hydrology.prepared import read_prepared
from deeprc.applications.hydrology.samples import groups, make_samples
from deeprc.core import fingerprint
from deeprc.core.files import write_json
from deeprc.core.stage import run


def main(
    prepared: commandline.Prepared,
    config: Annotated[str, typer.Option(help="the training's options as JSON (TrainConfig)")],
    out: Annotated[Path, typer.Option(help="the folder to write: model.json and one .keras file per network")],
    threads: commandline.Threads = 1,
) -> None:
    """Train the networks.

    Example: `python -m deeprc.applications.hydrology.train --prepared prepared --config '{"epochs": 5}' --out model`
    """
    options = commandline.options(TrainConfig, config)
    data = read_prepared(prepared)
    start(threads=threads, seed=options.seed)
    with sealed(out) as folder:
        networks = []
        for name, basins in groups(data).items():
            began = time.monotonic()
            keras.utils.set_random_seed(options.seed)  # so that a network does not depend on the ones before it
            samples, weather = make_samples(data, basins)
            model = build(options, samples.window, samples.width)
            fitted = fit(model, samples, options, lambda line, name=name: print(f"{name}: {line}", flush=True), name)
            model.save(folder / f"{name}.keras")
            networks.append(
                {
                    "name": name,
                    "basins": basins,
                    "parameters": model.count_params(),
                    "windows": {part: len(samples.of(part)) for part in ("train", "val")},
                    "weather": vars(weather),
                    "target": vars(fitted.target),
                    "best_epoch": fitted.best_epoch + 1,
                    "losses": fitted.losses,
                }
            )
            print(f"{name}: kept epoch {fitted.best_epoch + 1}, {time.monotonic() - began:.1f} s", flush=True)
        made_from = fingerprint.trained(data.meta.get(fingerprint.KEY), options.model_dump(mode="json"))
        about = {"options": options.model_dump(), "window": data.window, "networks": networks}
        write_json(folder / MODEL, about | {fingerprint.KEY: made_from})


if __name__ == "__main__":
    run(main)
