"""Which samples a step trains on: every one once per epoch, in an order of the seed and the epoch alone.

The state is four numbers, which say nothing of ranks or workers: whoever has them goes on with the next sample, on any
number of ranks. Epochs follow each other without a gap, so every step has a whole batch; the one that ends an epoch
begins the next.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from deeprc.core.errors import InputError
from deeprc.learning import chance


@dataclass(frozen=True)
class Batch:
    """The samples of a step, in the order in which they are dealt to the shards.

    Attributes
    ----------
    samples
        Their numbers, int64 [batch].
    epoch
        The epoch that each belongs to, int64 [batch].
    """

    samples: np.ndarray
    epoch: np.ndarray


class Sampler:
    """Deals out batches.

    Parameters
    ----------
    samples
        How many samples there are.
    seed
        Of the order.
    """

    def __init__(self, samples: int, seed: int) -> None:
        if samples < 1:
            raise InputError("there is nothing to train on", found=f"{samples} samples", expected="at least one")
        self.samples, self.seed, self.epoch, self.position = samples, seed, 0, 0
        self._known: tuple[int, np.ndarray] | None = None

    def take(self, count: int) -> Batch:
        """The next `count` samples."""
        samples, epochs, left = [], [], count
        while left:
            some = self._order()[self.position : self.position + left]
            samples.append(some)
            epochs.append(np.full(len(some), self.epoch))
            left -= len(some)
            self.position += len(some)
            if self.position == self.samples:
                self.epoch, self.position = self.epoch + 1, 0
        return Batch(np.concatenate(samples), np.concatenate(epochs))

    def _order(self) -> np.ndarray:
        if self._known is None or self._known[0] != self.epoch:
            self._known = self.epoch, chance.order(self.samples, self.seed, self.epoch)
        return self._known[1]

    def state(self) -> dict[str, int]:
        """The four numbers."""
        return asdict(SamplerState(self.seed, self.samples, self.epoch, self.position))

    def load(self, state: dict[str, int]) -> None:
        """Go on where the sampler of that state stood.

        Raises
        ------
        InputError
            For a state of another seed or another number of samples.
        """
        given = SamplerState(**state)
        if (given.seed, given.samples) != (self.seed, self.samples):
            raise InputError(
                "the training that is to go on had other samples",
                found=f"{self.samples:,} samples, seed {self.seed}",
                expected=f"{given.samples:,} samples, seed {given.seed}",
                fix="train anew, or give it the data and the seed that it began with",
            )
        self.epoch, self.position = given.epoch, given.position


@dataclass(frozen=True)
class SamplerState:
    """`epoch` is the current one, from 0; `position`, how many of its samples were dealt out."""

    seed: int
    samples: int
    epoch: int
    position: int
