"""What ranks do with each other beside their gradients: nothing, where their weights are always the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from deeprc.learning.checkpoints import Checkpoint


class Together:
    """Ranks that have the same weights after each step, and nothing of their own."""

    apart = False
    """Whether ranks have weights of their own between two rounds: each then saves its own."""
    divided = False
    """Whether a rank holds a part of each weight alone."""
    again = False
    """Whether a step is computed once more: its samples are dealt out and noted already."""
    scale = 1.0
    """What losses are multiplied by before their gradients are computed (`precision.Scale`)."""
    ending = False
    """Whether the training is to end after the current step, on all ranks alike."""

    def after(self, step: int) -> None:
        """Called after the optimiser has changed the weights in a step (from 1)."""

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Within it the module holds the weights that the training would end with now."""
        yield

    def call(self, function: Callable[[], float]) -> float:
        """What a function of the module gives, within `looked_at`."""
        return function()

    def own_of(self, found: Checkpoint) -> Mapping[str, np.ndarray]:
        """What this rank had of its own when it was saved."""
        return {}

    def mean(self, value: float) -> float:
        """The mean of a number over the ranks, where it differs."""
        return value

    def arrays(self) -> dict[str, np.ndarray]:
        """What is the same on all ranks and has to be saved beside weights and optimiser."""
        return {}

    def own_arrays(self) -> dict[str, np.ndarray]:
        """What this rank alone has."""
        return {}

    def load(self, named: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
        """Go on from what `arrays` and `own_arrays` have given."""

    def state(self) -> dict[str, Any]:
        """What JSON knows of it."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
