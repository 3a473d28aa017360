"""What ranks gain a training in TensorFlow, by the two ways that work: a sum over MPI, and TensorFlow's own strategy.

An LSTM learns from windows of a year; every rank takes the same number of them in a step. One rank by itself and all
together take turns, while those that have nothing to do sleep: whatever else the machine does meets both.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import sys
from collections.abc import Callable

import numpy as np

from deeprc.bench.machine import describe
from deeprc.bench.start import started
from deeprc.bench.turns import turns
from deeprc.learning.peers import Alone, Peers, join

UNITS, DAYS, COLUMNS = 64, 365, 4
TURNS = 5


def run(ranks: int, batch: int, steps: int) -> dict:
    """Start the ranks on this machine, with a thread each, and measure.

    Returns
    -------
    By way, `windows_per_second` of one rank and of all (medians of TURNS turns), and their `ratio`.

    Raises
    ------
    DeepRCError
        When the ranks fail.
    """
    ways = {way: started(ranks, "deeprc.bench.tensorflow", [way, batch, steps]) for way in ("mpi", "strategy")}
    about = {"lstm": UNITS, "window": [DAYS, COLUMNS], "windows_per_rank_and_step": batch, "ranks": ranks}
    return {
        **about,
        "ways": ways,
        "machine": describe(("deeprc", "tensorflow-cpu", "tensorflow", "keras", "mpi4py", "mpich")),
    }


def measure(alone: Callable[[], object], together: Callable[[], object], peers: Peers, batch: int, steps: int) -> dict:
    """Measure both by turns; every rank calls it."""
    took = turns({"one": alone, "all": together}, peers, steps=steps, count=TURNS, alone=["one"])
    one, all_ = (statistics.median(each) for each in took.values())
    ratio = statistics.median(peers.size * first / both for first, both in zip(*took.values(), strict=True))
    figures = {"1": round(batch * steps / one, 1), str(peers.size): round(peers.size * batch * steps / all_, 1)}
    return {"windows_per_second": figures, "ratio": round(ratio, 3)}


def by_mpi(peers: Peers, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """A step of our own training, alone and on all ranks."""
    from deeprc.learning.ledger import Ledger
    from deeprc.learning.sampler import Sampler
    from deeprc.learning.tensorflow.backend import keras, start
    from deeprc.learning.tensorflow.gradient import KerasGradient
    from deeprc.learning.tensorflow.loop import updates

    start(threads=1, seed=1)

    def step(among: Peers) -> Callable[[], object]:
        problem = _Years(batch)
        sampler = Sampler(among.size * batch, seed=1)
        gradient = KerasGradient(
            problem, among, sampler, Ledger(None, among), batch=among.size * batch, shards=None, seed=1
        )
        update = updates(problem.model, keras.optimizers.Adam(1e-3))
        return lambda: update(gradient(0)[0])

    return step(Alone()), step(peers)


class _Years:
    """Windows of random numbers, as a `KerasProblem`."""

    def __init__(self, batch: int) -> None:
        from deeprc.learning.tensorflow.backend import tf

        self.model = _network()
        self.rows = np.arange(1 << 20)
        self.signature = [tf.TensorSpec((None, DAYS, COLUMNS), tf.float32), tf.TensorSpec((None,), tf.float32)]
        self._data = [tf.constant(one) for one in _data(batch)]

    def inputs(self, samples):
        from deeprc.learning.tensorflow.backend import tf

        return tuple(one[: tf.size(samples)] for one in self._data)

    def loss(self, windows, wanted):
        from deeprc.learning.tensorflow.backend import tf

        return tf.reduce_sum((self.model(windows, training=True)[:, 0] - wanted) ** 2)


def _network():
    from deeprc.learning.tensorflow.backend import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((DAYS, COLUMNS))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.LSTM(UNITS)(inputs)))


def _data(batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(batch, DAYS, COLUMNS)).astype(np.float32), rng.normal(size=batch).astype(np.float32)


def by_strategy(peers: Peers, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """A step under MultiWorkerMirroredStrategy, and the same without it on one rank."""
    with socket.socket() as free:  # TensorFlow asks for a port, and listens on it on all addresses
        free.bind(("127.0.0.1", 0))
        places = peers.allgather(f"127.0.0.1:{free.getsockname()[1]}")
    task = {"type": "worker", "index": peers.rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": places}, "task": task})
    from deeprc.learning.tensorflow.backend import keras, tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    data = [tf.constant(one) for one in _data(batch)]

    def make(ranks: int) -> Callable[[], object]:
        model, optimizer = _network(), keras.optimizers.Adam(1e-3)
        optimizer.build(model.trainable_variables)

        def replica(windows, wanted):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum((model(windows, training=True)[:, 0] - wanted) ** 2) / (ranks * batch)
            gradients = tape.gradient(loss, model.trainable_variables)
            if ranks > 1:
                gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return loss

        if ranks == 1:
            compiled = tf.function(replica)
            return lambda: float(compiled(*data))
        compiled = tf.function(lambda *data: strategy.reduce("SUM", strategy.run(replica, data), None))
        return lambda: float(compiled(*data))

    alone = make(1)
    with strategy.scope():
        return alone, make(peers.size)


if __name__ == "__main__":
    way, each, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    ours = join()
    steps = (by_mpi if way == "mpi" else by_strategy)(ours, each)
    figures = measure(*steps, ours, each, count)
    if ours.rank == 0:
        print(json.dumps(figures), flush=True)
