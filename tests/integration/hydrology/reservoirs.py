"""Two linear reservoirs under the same kind of rain, and a network that is trained on them."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl

from deeprc.applications.hydrology.config import TrainConfig
from deeprc.applications.hydrology.prepared import Prepared
from deeprc.applications.hydrology.samples import make_samples
from deeprc.learning.config import How
from deeprc.learning.ledger import Ledger
from deeprc.learning.peers import Alone, Peers

WINDOW = 8


def reservoirs() -> Prepared:
    """Reservoirs with q(t) = k * (storage + rain), of which one holds ten times the water."""
    rng = np.random.default_rng(5)
    days = np.arange("2000-01-01", "2001-07-01", dtype="datetime64[D]")
    frames = []
    for basin, scale in (("brook", 1.0), ("river", 10.0)):
        rain = rng.gamma(0.4, 5.0, len(days))
        storage, flow = 0.0, []
        for water in rain:
            storage += water
            flow.append(0.4 * storage)
            storage -= flow[-1]
        frames.append(pl.DataFrame({"basin": basin, "date": days, "prcp": rain, "obs": np.array(flow) * scale}))
    frame = pl.concat(frames).with_columns(
        pl.when(pl.col("date") < pl.date(2001, 1, 1))
        .then(pl.lit("train"))
        .when(pl.col("date") < pl.date(2001, 4, 1))
        .then(pl.lit("val"))
        .otherwise(pl.lit("test"))
        .alias("split")
    )
    about = {"unit": "mm/day", "inputs": {"prcp": "mm/day"}, "attributes": {}}
    return Prepared(frame, {"window": WINDOW, "basins": {"brook": about, "river": about}})


def trained(
    prepared: Prepared, basins: list[str], peers: Peers | None = None, checkpoints: Path | None = None, *,
    before=lambda number: None, curves: Path | None = None, **options,
):  # fmt: skip
    """Train on some of the basins; samples, network, what happened, simulation, training.

    `before` is called before each note in the ledger, with its number.
    """
    from deeprc.applications.hydrology.fit import DischargeProblem, simulate, train
    from deeprc.applications.hydrology.network import trainable
    from deeprc.learning.tensorflow.backend import keras

    config, peers = TrainConfig(**options), peers or Alone()
    keras.utils.set_random_seed(config.seed)
    samples, _ = make_samples(prepared, basins)
    model, judged = trainable(config, samples.window, samples.width, samples.static.shape[1])
    problem = DischargeProblem(model, samples, config.loss, judged)
    note, noted = Ledger.note, []

    def watched(*told: object) -> None:
        before(len(noted))
        noted.append(None)
        note(*told)

    with patch.object(Ledger, "note", watched):
        training, told = train(
            problem, config, peers, name=config.variant, how=How(checkpoint_steps=3), facts={}, checkpoints=checkpoints,
            curves=curves,
        )  # fmt: skip
    judged.set_weights(model.get_weights())
    return samples, problem.model, told, simulate(judged, samples, problem.target, peers), training
