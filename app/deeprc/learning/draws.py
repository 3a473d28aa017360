"""Samples drawn anew for each step, some of them twice in an epoch and others never: the way of `reproducible: fixed`.

A training that goes on draws again what was drawn before, and so goes on with what would have come.
"""

from __future__ import annotations

import numpy as np

from deeprc.learning.sampler import Batch


class Draws:
    """Deals out batches of one size, drawn with replacement; `samples` and `seed` as of a `Sampler`."""

    def __init__(self, samples: int, seed: int) -> None:
        self.samples, self.seed, self.count, self.batch = samples, seed, 0, 0
        self._chance = np.random.default_rng(seed)

    def take(self, count: int) -> Batch:
        """The next draw."""
        self.count, self.batch = self.count + 1, count
        return Batch(self._chance.choice(self.samples, count), np.zeros(count, np.int64))

    def state(self) -> dict[str, int]:
        """How many batches were drawn, and of what."""
        return {"seed": self.seed, "samples": self.samples, "batch": self.batch, "count": self.count}

    def load(self, state: dict[str, int]) -> None:
        """Draw what was drawn before a checkpoint."""
        self.__init__(state["samples"], state["seed"])
        for _ in range(state["count"]):
            self.take(state["batch"])
