"""The training loop, and the simulation with a trained network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deeprc.applications.base.batches import in_batches
from deeprc.applications.base.scaler import Scaler
from deeprc.applications.hydrology.backend import keras, tf
from deeprc.applications.hydrology.config import VARIANTS, TrainConfig
from deeprc.applications.hydrology.samples import Samples
from deeprc.learning.finite import refuse_not_finite

NOISE_FLOOR = 0.1  # epsilon of the NSE loss: keeps basins that hardly vary from ruling it
CHUNK = 1024  # windows simulated at once


@dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Parameters
    ----------
    target
        The scaler of the discharge.
    losses
        Per epoch: the loss of the training and of the validation part.
    best_epoch
        The epoch (from 0) whose weights were kept.
    """

    target: Scaler
    losses: list[dict[str, float]]
    best_epoch: int


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
    spread = np.array([scaled[ends[mine == basin]].std() for basin in range(len(samples.static))])
    return (1 / (spread + NOISE_FLOOR) ** 2)[samples.code].astype(np.float32)


def fit(
    model: keras.Model, samples: Samples, config: TrainConfig, log: Callable[[str], None], name: str = ""
) -> Fitted:
    """Train `model`; it ends with the weights of the epoch with the lowest validation loss.

    Raises
    ------
    NotFiniteError
        At the first loss that is not finite; `name` is what the network is called.
    """
    train, val = samples.of("train"), samples.of("val")
    target = Scaler.fit(samples.obs[train, None])
    scaled = target.scale(samples.obs[:, None])[:, 0].astype(np.float32)
    weight = weights(samples, scaled, train, config.loss)
    steps = config.epochs * -(-len(train) // config.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    optimizer.build(model.trainable_variables)

    shape = tf.TensorSpec((None, samples.window, samples.width), tf.float32)
    row = tf.TensorSpec((None,), tf.float32)

    @tf.function(input_signature=[shape, row, row])
    def step(windows, wanted, weight):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(weight * (model(windows, training=True)[:, 0] - wanted) ** 2)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    rng = np.random.default_rng(config.seed)
    losses: list[dict[str, float]] = []
    best, kept = 0, model.get_weights()
    outputs = forward(model, samples)

    def refuse(value: float, what: str, when: str) -> None:
        usual = VARIANTS[config.variant]["learning_rate"]
        about = {"model": name or config.variant, "learning_rate": config.learning_rate, "usual": usual}
        refuse_not_finite(value, what, when=f"epoch {epoch + 1} of {config.epochs}{when}", **about)

    for epoch in range(config.epochs):
        order = rng.permutation(train)
        batches = [order[first : first + config.batch_size] for first in range(0, len(order), config.batch_size)]
        total = 0.0
        for number, rows in enumerate(batches, 1):
            loss = float(step(samples.windows(rows), scaled[rows], weight[rows]))
            refuse(loss, "training loss", f", step {number} of {len(batches)}")
            total += len(rows) * loss
        with np.errstate(over="ignore", invalid="ignore"):
            val_loss = float(np.mean(weight[val] * (outputs(val) - scaled[val]) ** 2))
        refuse(val_loss, "validation loss", "")
        losses.append({"train": total / len(order), "val": val_loss})
        log(f"epoch {epoch + 1}/{config.epochs}: training loss {losses[-1]['train']:.4f}, validation {val_loss:.4f}")
        if epoch == 0 or val_loss < losses[best]["val"]:
            best, kept = epoch, model.get_weights()
        elif epoch - best >= config.patience:
            break
    model.set_weights(kept)
    return Fitted(target, losses, best)


def forward(model: keras.Model, samples: Samples) -> Callable[[np.ndarray], np.ndarray]:
    """A function from ends of windows, shape (windows,), to the network's (scaled) discharge of the same shape."""

    @tf.function(input_signature=[tf.TensorSpec((None, samples.window, samples.width), tf.float32)])
    def run(windows):
        return model(windows, training=False)[:, 0]

    return lambda ends: in_batches(lambda rows: run(samples.windows(rows)).numpy(), ends, CHUNK)


def simulate(model: keras.Model, samples: Samples, target: Scaler) -> np.ndarray:
    """Discharge at `samples.ends`, in the basins' unit and never below 0; shape (windows,)."""
    scaled = forward(model, samples)(samples.ends).astype(np.float64)
    return np.maximum(target.restore(scaled[:, None])[:, 0], 0.0)
