"""What a network learns of the discharge, and the simulation with a trained one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deeprc.applications.base.batches import in_batches
from deeprc.applications.base.scaler import Scaler
from deeprc.applications.hydrology.config import VARIANTS, TrainConfig
from deeprc.applications.hydrology.samples import Samples
from deeprc.learning.config import How
from deeprc.learning.peers import Peers
from deeprc.learning.tensorflow.backend import keras, tf
from deeprc.learning.tensorflow.loop import Epochs
from deeprc.learning.tensorflow.mapped import WindowCut
from deeprc.learning.tensorflow.train import KerasTraining

NOISE_FLOOR = 0.1  # epsilon of the NSE loss: keeps basins that hardly vary from ruling it
CHUNK = 1024  # windows simulated at once


def weights(samples: Samples, scaled: np.ndarray, ends: np.ndarray, loss: str) -> np.ndarray:
    """The weight of each row's squared error.

    `nse`: 1 / (s_b + 0.1)^2, s_b the standard deviation of the basin's discharge in the training part, so that every
    basin counts alike whatever its size. Source: Kratzert et al. 2019, eq. 1, doi:10.5194/hess-23-5089-2019.

    Parameters
    ----------
    scaled
        Discharge in standard deviations of all basins; shape (rows,).
    ends
        The rows of the training part.

    Returns
    -------
    float32 array, shape (rows,)
    """
    if loss == "mse":
        return np.ones(len(scaled), np.float32)
    mine = samples.code[ends]
    spread = np.zeros(len(samples.static))  # of basins that are held out it stays 0, and nobody asks
    for basin in np.unique(mine):
        spread[basin] = scaled[ends[mine == basin]].std()
    return (1 / (spread + NOISE_FLOOR) ** 2)[samples.code].astype(np.float32)


class DischargeProblem:
    """The discharge of the training part, which a network is to compute from the weather before it.

    Attributes
    ----------
    target
        The scaler of the discharge.

    Parameters
    ----------
    judged
        The same network in float32, where `model` computes in another precision: it is given the weights to be judged.
    """

    def __init__(self, model: keras.Model, samples: Samples, loss: str, judged: keras.Model | None = None) -> None:
        self.model, self.samples, self.ends = model, samples, samples.of("train")
        self.judged = judged or model
        self.rows = samples.rows[self.ends]
        self.target = Scaler.fit(samples.obs[self.ends, None])
        self.scaled = self.target.scale(samples.obs[:, None])[:, 0].astype(np.float32)
        self.weight = weights(samples, self.scaled, self.ends, loss)
        row = tf.TensorSpec((None,), tf.float32)
        self._graph = _graph(samples, self.ends, self.scaled, self.weight)
        self.signature = [tf.TensorSpec((None, samples.window, samples.width), tf.float32), row, row]

    def inputs(self, samples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Windows, discharge and weights of samples of the training part."""
        return self._graph(samples)

    def loss(self, windows: tf.Tensor, wanted: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        """The sum of their weighed squared errors."""
        return tf.reduce_sum(weight * (self.model(windows, training=True)[:, 0] - wanted) ** 2)

    def validation(self, peers: Peers) -> Callable[[], float]:
        """A function that computes the mean weighed squared error of the validation part."""
        val, outputs = self.samples.of("val"), forward(self.judged, self.samples, peers)

        def loss() -> float:
            if self.judged is not self.model:
                self.judged.set_weights(self.model.get_weights())
            return float(np.mean(self.weight[val] * (outputs(val) - self.scaled[val]) ** 2))

        return loss


def _graph(
    samples: Samples, ends: np.ndarray, scaled: np.ndarray, weight: np.ndarray
) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    """A function from numbers of `ends`, as a graph: the bits that `Samples.windows` gives, and `scaled` and `weight`.

    The inputs stay in the mapped files; what is computed of them (season, discharge in standard deviations, weights)
    are tensors of a value a row.
    """
    cut = WindowCut(samples.mapped, samples.inputs, samples.window)
    # Tensors, and no constants of the graph: x / c would be made x * (1 / c) there, which rounds otherwise.
    mean, spread = (tf.constant(values, tf.float64) for values in (samples.weather.mean, samples.weather.std))
    last, rows, code = (tf.constant(values, tf.int64) for values in (ends, samples.rows[ends], samples.code[ends]))
    season, static = tf.constant(samples.season), tf.constant(samples.static)
    wanted, weighed = tf.constant(scaled[ends]), tf.constant(weight[ends])
    window = samples.window

    def inputs(numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        raw = cut(tf.gather(rows, numbers) + (1 - window))
        weather = tf.cast((raw - mean) / spread, tf.float32)
        days = tf.gather(season, tf.gather(last, numbers)[:, None] + tf.range(1 - window, 1, dtype=tf.int64))
        basin = tf.gather(static, tf.gather(code, numbers))[:, None]
        shape = [tf.size(numbers), window, samples.static.shape[1]]
        windows = tf.concat([weather, days, tf.broadcast_to(basin, shape)], 2)
        return windows, tf.gather(wanted, numbers), tf.gather(weighed, numbers)

    return inputs


def train(
    problem: DischargeProblem, config: TrainConfig, peers: Peers, *, name: str, how: How, facts: dict[str, Any],
    checkpoints: Path | None, curves: Path | None = None, device: str = "cpu",
) -> tuple[KerasTraining, Epochs]:  # fmt: skip
    """Train a network, whose weights are then those of the epoch with the smallest validation loss.

    Parameters
    ----------
    name
        What the network is called.
    how, facts, checkpoints, curves, device
        See `KerasTraining`.

    Raises
    ------
    NotFiniteError
        At the first loss that is not finite.
    """
    training = KerasTraining(
        problem, peers, epochs=config.epochs, batch=config.batch_size, seed=config.seed,
        reproducible=config.reproducible, shards=config.shards, how=how, facts=facts, checkpoints=checkpoints,
        curves=curves, name=name, device=device,
    )  # fmt: skip
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, training.steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    rates = {"learning_rate": config.learning_rate, "usual": VARIANTS[config.variant]["learning_rate"]}
    return training, training.run(problem.validation(peers), optimizer, patience=config.patience, name=name, **rates)


def forward(model: keras.Model, samples: Samples, peers: Peers | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """A function from ends of windows, shape (windows,), to the network's (scaled) discharge of the same shape."""

    @tf.function(input_signature=[tf.TensorSpec((None, samples.window, samples.width), tf.float32)])
    def run(windows):
        return model(windows, training=False)[:, 0]

    return lambda ends: in_batches(lambda rows: run(samples.windows(rows)).numpy(), ends, CHUNK, peers)


def simulate(model: keras.Model, samples: Samples, target: Scaler, peers: Peers | None = None) -> np.ndarray:
    """Discharge at `samples.ends`, in the basins' unit and never below 0; shape (windows,)."""
    scaled = forward(model, samples, peers)(samples.ends).astype(np.float64)
    return np.maximum(target.restore(scaled[:, None])[:, 0], 0.0)
