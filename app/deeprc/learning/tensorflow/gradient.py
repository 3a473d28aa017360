"""The gradient of a global batch on all ranks, in TensorFlow: by one sum over MPI, or along one tree.

TensorFlow's own way, MultiWorkerMirroredStrategy, works as well (`deeprc bench tensorflow` has both). But it opens a
port of gRPC on each rank, on all addresses and for anybody, and Keras' `fit` does not work under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from deeprc.core.errors import ConfigError
from deeprc.learning import chance, tree
from deeprc.learning.ledger import Ledger
from deeprc.learning.notice import Notice
from deeprc.learning.peers import Peers
from deeprc.learning.sampler import Sampler
from deeprc.learning.tensorflow.ahead import Ahead
from deeprc.learning.tensorflow.backend import keras, tf


class KerasProblem(Protocol):
    """What is to be learned.

    Attributes
    ----------
    model
        The network.
    rows
        The row of the data that each sample is known by, int64 [samples].
    signature
        Of what `inputs` gives.
    """

    model: keras.Model
    rows: np.ndarray
    signature: list[tf.TensorSpec]

    def inputs(self, samples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """What the loss of these samples (numbers into `rows`, int64) is computed from; a graph of tf.data."""

    def loss(self, *inputs: tf.Tensor) -> tf.Tensor:
        """The sum of the samples' losses, while the network is trained."""


class KerasGradient:
    """The gradient of the mean loss of a global batch, and that loss.

    Parameters
    ----------
    batch
        Samples of a step, on all ranks together.
    shards
        The virtual shards that they are dealt to, for the same bits on any number of ranks; None: a part for each rank.
    seed
        Of what the network draws, together with step and shard (or rank).
    notice
        Of the end of this rank's job; it travels with the gradient, so that `ending` is true on all ranks in one step.

    Raises
    ------
    ConfigError
        For a network that a loss changes, as by batch normalisation: each rank would have another one.
    """

    def __init__(
        self, problem: KerasProblem, peers: Peers, sampler: Sampler, ledger: Ledger, *, batch: int, shards: int | None,
        seed: int, notice: Notice | None = None,
    ) -> None:  # fmt: skip
        self.problem, self.peers, self.sampler, self.ledger = problem, peers, sampler, ledger
        self.batch, self.seed, self.notice, self.ending = batch, seed, notice, False
        self.is_elastic, self.parts = shards is not None, shards or peers.size
        self.mine = tree.shards_of(peers.rank, peers.size, shards) if shards else range(peers.rank, peers.rank + 1)
        if kept := problem.model.non_trainable_weights:
            raise ConfigError(
                "this network cannot be trained on ranks: a loss changes what it keeps",
                found=", ".join(one.path for one in kept),
                expected="one that keeps nothing of what it was trained on",
            )
        self._compute = _compiled(problem)
        self._ahead = Ahead(problem.inputs, sampler, batch, self.parts, self.mine)

    def __call__(self, step: int) -> tuple[np.ndarray, float]:
        """For step `step` (from 0) the gradient, of all trainable variables one after the other, and the loss."""
        total = tree.fold(self._leaves(step))
        if self.is_elastic:
            total = tree.over_ranks(total, self.peers)
        else:
            self.peers.total(total)
        self.ending = bool(total[-1] > 0)
        return total[:-2], float(total[-2])

    def _leaves(self, step: int) -> Iterator[np.ndarray]:
        """For each part of this rank its gradient, its part of the mean loss, and whether the job is to end."""
        batch, parts = self._ahead.take()
        for shard, (here, inputs) in zip(self.mine, parts, strict=True):
            seed = chance.shard_seed(self.seed, step, shard)
            about = (np.float32(1 / self.batch), np.array([seed >> 31, seed], np.int64) % SEEDS, self._is_over())
            yield self._compute(*about, *inputs).numpy()
            self.ledger.note(batch.epoch[here], step + 1, shard, self.problem.rows[batch.samples[here]])

    def _is_over(self) -> np.float32:
        return np.float32(bool(self.notice and self.notice.given))


SEEDS = 1 << 30  # Keras adds to seeds, and hands on what is below 2^31


def _compiled(problem: KerasProblem) -> tf.types.experimental.GenericFunction:
    variables = problem.model.trainable_variables
    # What Keras draws comes of these alone: a counter for each layer, which is set anew for each part of a step.
    counters = [one for one in problem.model.non_trainable_variables if one.path.endswith("seed_generator_state")]
    scalar, pair = tf.TensorSpec((), tf.float32), tf.TensorSpec((2,), tf.int64)

    @tf.function(input_signature=[scalar, pair, scalar, *problem.signature])
    def compute(scale, seed, is_over, *inputs):
        for number, counter in enumerate(counters):
            counter.assign(tf.stack([seed[0] + number, seed[1]]))
        with tf.GradientTape() as tape:
            loss = problem.loss(*inputs) * scale
        gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return tf.concat([*(tf.reshape(one, [-1]) for one in gradients), [loss, is_over]], 0)

    return compute
