"""Stage train: one network per group of alike basins."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import sealed
from deeprc.applications.base.trained import MODEL
from deeprc.applications.hydrology.config import TrainConfig
from deeprc.applications.hydrology.prepared import read_prepared
from deeprc.applications.hydrology.samples import groups, make_samples
from deeprc.core import fingerprint
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.learning.config import How

WEIGHTS = "weights.safetensors"  # in the folder of each network


def main(
    prepared: commandline.Prepared,
    config: Annotated[str, typer.Option(help="the training's options as JSON (TrainConfig)")],
    out: Annotated[Path, typer.Option(help="the folder to write: model.json and a folder per network")],
    threads: commandline.Threads = 1,
    how: Annotated[str, typer.Option(help="what changes nothing of the result (learning.config.How) as JSON")] = "{}",
    checkpoints: Annotated[
        Path | None, typer.Option(help="the folder to save the training in, and to go on from")
    ] = None,
    curves: Annotated[Path | None, typer.Option(help="the folder of the losses while it goes on")] = None,
) -> None:
    """Train the networks.

    Example: `python -m deeprc.applications.hydrology.train --prepared prepared --config '{"epochs": 5}' --out model`
    """
    options, means = commandline.options(TrainConfig, config), commandline.options(How, how, "--how")
    from deeprc.applications.hydrology.fit import DischargeProblem, train
    from deeprc.applications.hydrology.network import trainable
    from deeprc.learning.checkpoints import tensors
    from deeprc.learning.checkpoints.lock import held
    from deeprc.learning.origin import Origin
    from deeprc.learning.peers import join
    from deeprc.learning.tensorflow import state
    from deeprc.learning.tensorflow.backend import keras, start

    peers = join()
    with held(checkpoints, peers):
        data = read_prepared(prepared)
        on = start(threads=threads, seed=options.seed, device=means.device, precision=options.precision)
        made_from = fingerprint.trained(data.meta.get(fingerprint.KEY), options.model_dump(mode="json"))
        done, networks = [], []
        for name, basins in groups(data).items():
            began = time.monotonic()
            keras.utils.set_random_seed(options.seed)  # so that a network does not depend on the ones before it
            samples, weather = make_samples(data, basins)
            model, judged = trainable(options, samples.window, samples.width, samples.static.shape[1])
            problem = DischargeProblem(model, samples, options.loss, judged)
            folder = checkpoints / name if checkpoints else None
            facts = {"network": name, **options.model_dump(mode="json"), fingerprint.KEY: made_from}
            drawn = curves / name if curves else None
            training, told = train(
                problem, options, peers, name=name, how=means, facts=facts, checkpoints=folder, curves=drawn, device=on
            )
            networks.append(
                {
                    "name": name,
                    "basins": basins,
                    "parameters": model.count_params(),
                    "windows": {part: len(samples.of(part)) for part in ("train", "val")},
                    "weather": vars(weather),
                    "target": vars(problem.target),
                    "best_epoch": told.best + 1,
                    "losses": told.losses,
                    "weights_sha256": state.digest(model),
                }
            )
            done.append((name, training, state.arrays("", model.get_weights()), samples.rows))
            training.say(f"{name}: kept epoch {told.best + 1}, {time.monotonic() - began:.1f} s")
        if peers.rank:
            return
        with sealed(out) as temporary:
            origin = Origin.read(prepared)
            for name, training, weights, rows in done:
                (temporary / name).mkdir()
                tensors.write(temporary / name / WEIGHTS, weights)
                training.write_ledger(temporary / name, origin and origin.only(rows))
            about = {"options": options.model_dump(), "device": on, "window": data.window, "networks": networks}
            write_json(temporary / MODEL, about | {fingerprint.KEY: made_from})
        for _, training, *_ in done:
            training.clear()


if __name__ == "__main__":
    run(main)
