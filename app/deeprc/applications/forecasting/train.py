"""Stage `train`: one model."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base.prepared import seal
from deeprc.applications.forecasting.config import TrainConfig
from deeprc.applications.forecasting.zoo import check_options, entry
from deeprc.core import fingerprint
from deeprc.core.files import atomic, write_json
from deeprc.core.stage import run
from deeprc.core.validation import validate

VALIDATION_WINDOWS = 256


def main(
    prepared: Annotated[Path, typer.Option(help="the prepared folder")],
    model: Annotated[str, typer.Option(help="the model's name in the zoo")],
    config: Annotated[str, typer.Option(help="the training options as JSON")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
    threads: Annotated[int, typer.Option(min=1, help="threads to compute with")] = 1,
) -> None:
    """Train one model and keep the weights of the smallest validation loss.

    Example: `python -m deeprc.applications.forecasting.train --prepared prepared --model NHITS --out models/NHITS
    --config '{"steps": 300, "learning_rate": 0.002, "batch_size": 64}'`
    """
    options = validate(TrainConfig, json.loads(config), where="--config")
    entry(model), check_options(model, options.options)
    import numpy as np
    import torch

    from deeprc.applications.forecasting.network import Forecaster, windows
    from deeprc.applications.forecasting.series import load
    from deeprc.learning.torch_loop import fit, make_deterministic

    make_deterministic(options.seed, threads)
    series = load(prepared)
    network = Forecaster(model, options.options, series.meta)
    chance = np.random.default_rng(options.seed)
    origins = series.origins("train")
    held_out = series.origins("val")
    sample = held_out[:: max(1, len(held_out) // VALIDATION_WINDOWS)]
    validation = windows(series, sample)
    if not validation["mask"].any():  # little is known: the windows that aim at it
        validation = windows(series, series.counting(held_out)[:VALIDATION_WINDOWS])

    def loss(step: int) -> torch.Tensor:
        return network.loss(windows(series, chance.choice(origins, options.batch_size)))

    def validate_now() -> float:
        error = (network(validation) - validation["y"]).abs() * validation["mask"]
        return float(error.sum() / validation["mask"].sum())

    size = sum(parameter.numel() for parameter in network.parameters())
    print(f"{model}: {size:,} parameters, {options.steps} steps of {options.batch_size} windows", flush=True)
    started = time.monotonic()
    rates = {"learning_rate": options.learning_rate, "usual": entry(model).learning_rate}
    history = fit(network, loss, validate_now, steps=options.steps, name=model, **rates)
    print(f"trained in {time.monotonic() - started:.1f} s; best validation loss at step {history.best_step}")
    with atomic(out) as temporary:
        temporary.mkdir()
        torch.save(network.state_dict(), temporary / "weights.pt")
        write_json(
            temporary / "model.json",
            {
                "name": model,
                "parameters": size,
                **options.model_dump(),
                "training_loss": history.train,
                "validation_loss": history.validation,
                "best_step": history.best_step,
                fingerprint.KEY: fingerprint.trained(
                    series.meta.get(fingerprint.KEY), {"model": model, **options.model_dump(mode="json")}
                ),
            },
        )
        seal(temporary)


if __name__ == "__main__":
    run(main)
