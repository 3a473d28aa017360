"""The inputs of steps to come, which tf.data makes beside the step that is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from deeprc.core.errors import DeepRCError
from deeprc.learning import tree
from deeprc.learning.sampler import Batch, Sampler
from deeprc.learning.tensorflow.backend import tf

MOST = 1024  # steps that are laid out at once
NUMBERS = 1 << 20  # of samples that are laid out beyond an epoch, at most
WAITING = 2  # inputs that wait for their step


class Ahead:
    """A rank's inputs, part by part of each step, in the order in which the sampler deals out samples.

    The sampler stays where it is: a copy of it says what comes. Each part is compared with what the sampler itself
    deals out when its step is computed, so no step learns of other samples than the ledger has.

    Parameters
    ----------
    inputs
        What the loss of samples (numbers, int64) is computed from, as a graph.
    batch, parts, mine
        Samples of a step, the parts that they are dealt to, and those of this rank.
    """

    def __init__(
        self, inputs: Callable[[tf.Tensor], tuple[tf.Tensor, ...]], sampler: Sampler, batch: int, parts: int,
        mine: range,
    ) -> None:  # fmt: skip
        self.inputs, self.sampler, self.batch, self.parts, self.mine = inputs, sampler, batch, parts, mine
        self._coming: Iterator | None = None
        self._state: dict[str, int] = {}

    def take(self) -> tuple[Batch, Iterator[tuple[np.ndarray, tuple[tf.Tensor, ...]]]]:
        """The next batch, and for each part of this rank its places in the batch and its inputs."""
        if self._coming is None or self._state != self.sampler.state():  # the last one ended, or another was loaded
            self._coming, self._left = self._laid_out()
        batch = self.sampler.take(self.batch)
        self._state, self._left = self.sampler.state(), self._left - 1
        coming, self._coming = self._coming, self._coming if self._left else None
        return batch, self._parts(batch, coming)

    def _parts(self, batch: Batch, coming: Iterator) -> Iterator[tuple[np.ndarray, tuple[tf.Tensor, ...]]]:
        places = np.arange(len(batch.samples))
        for shard in self.mine:
            here = tree.part(places, shard, self.parts)
            samples, inputs = next(coming)
            if not np.array_equal(samples.numpy(), batch.samples[here]):
                raise DeepRCError("the inputs of a step are not those of its samples", fix="report this: it is a fault")
            yield here, inputs

    def _laid_out(self) -> tuple[Iterator, int]:
        sampler = Sampler(self.sampler.samples, self.sampler.seed)
        sampler.load(self.sampler.state())
        # Over the ends of small epochs: each layout traces its graph anew, which takes as long as some steps.
        steps = min(MOST, max(-(-sampler.samples // self.batch), NUMBERS // self.batch))
        dealt = [sampler.take(self.batch).samples for _ in range(steps)]
        found = [tree.part(samples, shard, self.parts) for samples in dealt for shard in self.mine]
        ends = np.cumsum([len(one) for one in found])
        flat = tf.constant(np.concatenate(found), tf.int64)

        def made(begin: tf.Tensor, end: tf.Tensor):
            return flat[begin:end], self.inputs(flat[begin:end])

        data = tf.data.Dataset.from_tensor_slices((np.concatenate([[0], ends[:-1]]), ends))
        options = tf.data.Options()
        options.threading.private_threadpool_size = 1
        return iter(data.map(made).prefetch(WAITING).with_options(options)), steps
