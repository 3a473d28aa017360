"""Stage `train`: one model."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from deeprc.applications.base import commandline
from deeprc.applications.base.prepared import sealed
from deeprc.applications.base.trained import MODEL
from deeprc.applications.forecasting.config import TrainConfig
from deeprc.applications.forecasting.zoo import check_options, entry
from deeprc.core import fingerprint
from deeprc.core.errors import ConfigError
from deeprc.core.files import write_json
from deeprc.core.stage import run
from deeprc.learning.config import How


def main(
    prepared: commandline.Prepared,
    model: Annotated[str, typer.Option(help="the model's name in the zoo")],
    config: Annotated[str, typer.Option(help="the training options as JSON")],
    out: Annotated[Path, typer.Option(help="the folder to write")],
    threads: commandline.Threads = 1,
    how: Annotated[str, typer.Option(help="what changes nothing of the result (learning.config.How) as JSON")] = "{}",
    checkpoints: Annotated[
        Path | None, typer.Option(help="the folder to save the training in, and to go on from")
    ] = None,
    curves: Annotated[Path | None, typer.Option(help="the folder of the losses while it goes on")] = None,
    study: Annotated[
        Path | None, typer.Option(help="the file in which a sweep's trials tell each other their losses")
    ] = None,
) -> None:
    """Train one model and keep the weights of the smallest validation loss (`with_validation`: of the last step).

    Example: `python -m deeprc.applications.forecasting.train --prepared prepared --model NHITS --out models/NHITS
    --config '{"steps": 300, "learning_rate": 0.002, "batch_size": 64}'`
    """
    options, means = commandline.options(TrainConfig, config), commandline.options(How, how, "--how")
    entry(model), check_options(model, options.options)
    from deeprc.applications.forecasting.network import Forecaster
    from deeprc.applications.forecasting.problem import ForecastProblem
    from deeprc.applications.forecasting.series import load
    from deeprc.learning.checkpoints import tensors
    from deeprc.learning.checkpoints.lock import held
    from deeprc.learning.origin import Origin
    from deeprc.learning.peers import join
    from deeprc.learning.torch import device as devices
    from deeprc.learning.torch import state
    from deeprc.learning.torch.compiled import compiled
    from deeprc.learning.torch.loop import make_deterministic
    from deeprc.learning.torch.stopping import Rivals
    from deeprc.learning.torch.train import Trainer

    peers = join()
    with held(checkpoints, peers):
        device = devices.device(means.device, options.precision)
        make_deterministic(options.seed, threads, strict=device.type == "cpu" or options.reproducible == "elastic")
        series = load(prepared)
        network = Forecaster(
            model, options.options, series.meta, loss=options.loss, level=options.level, calendar=options.calendar,
            intervals=options.intervals, precision=options.precision,
        ).to(device)  # fmt: skip
        made_from = fingerprint.trained(
            series.meta.get(fingerprint.KEY), {"model": model, **options.model_dump(mode="json")}
        )
        if options.optimisation.compile:
            compiled(network.core)
        problem = ForecastProblem(network, series, with_validation=options.with_validation)
        halving = options.optimisation.halving
        if bool(halving) != bool(study):
            raise ConfigError("successive halving is of a sweep", fix="give the key `halving` of a sweep, or none")

        def rivals() -> Rivals:
            measure = {"intervals": options.intervals} if options.intervals else {"loss": options.loss}
            among = fingerprint.part_of(made_from), halving.model_dump(), measure
            return Rivals(study, halving, among=_digest(among), name=_digest(made_from))

        trainer = Trainer(
            problem, peers, steps=options.steps, batch=options.batch_size, seed=options.seed,
            reproducible=options.reproducible, shards=options.shards, how=means, checkpoints=checkpoints,
            facts={"model": model, **options.model_dump(mode="json"), fingerprint.KEY: made_from},
            synchronisation=options.synchronisation, optimisation=options.optimisation,
            rivals=rivals if halving else None, curves=curves, name=model,
            precision=options.precision,
        )  # fmt: skip
        size = sum(parameter.numel() for parameter in network.parameters())
        on = f" on {peers.size} ranks" if peers.size > 1 else ""
        on += f", {devices.called(device)}" if device.type != "cpu" else ""
        trainer.say(f"{model}: {size:,} parameters, {options.steps} steps of {options.batch_size} windows{on}")
        started = time.monotonic()
        rates = {"learning_rate": options.learning_rate, "usual": entry(model).learning_rate}
        checks = options.validations or options.optimisation.validations
        validate = None if options.with_validation else problem.validate
        history = trainer.run(validate, name=model, checks=checks, **rates)
        kept = f"best validation loss at step {history.best_step}" if validate else "nothing held out"
        trainer.say(f"trained in {time.monotonic() - started:.1f} s; {kept}")
        if peers.rank:
            return
        with sealed(out) as temporary:
            tensors.write(temporary / "weights.safetensors", trainer.weights)
            trainer.write_ledger(temporary, problem.origin(Origin.read(prepared)))
            write_json(
                temporary / MODEL,
                {
                    "name": model,
                    "parameters": size,
                    **options.model_dump(),
                    "device": devices.called(device),
                    **({} if trainer.elastic or peers.size == 1 else {"sent_bytes": trainer.traffic.state()}),
                    "training_loss": history.train,
                    "validation_loss": history.validation,
                    "best_step": history.best_step,
                    **({"ended_at": history.steps} if history.steps < options.steps else {}),
                    **({"halved_at": history.steps} if trainer.halved else {}),
                    "weights_sha256": state.digest_of(trainer.weights),
                    fingerprint.KEY: made_from,
                },
            )
        trainer.clear()


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:20]


if __name__ == "__main__":
    run(main)
