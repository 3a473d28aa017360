"""Numbers of a training that are none: it stops at the first, since nothing that follows would mean anything."""

from __future__ import annotations

import math

from deeprc.core.errors import DeepRCError


class NotFiniteError(DeepRCError):
    """A training whose losses are no longer numbers."""


def refuse_not_finite(
    value: float, what: str, *, model: str, when: str, learning_rate: float, usual: float | None = None
) -> None:
    """Raise NotFiniteError where `value` is NaN or infinite.

    Parameters
    ----------
    what, when
        What `value` is and when it came up: "training loss", "step 3 of 100".
    usual
        The model's own learning rate, which is advised where `learning_rate` is above it.
    """
    if math.isfinite(value):
        return
    lower = usual if usual and usual < learning_rate else learning_rate / 10
    raise NotFiniteError(
        f"the training of {model} has diverged: its {what} is not finite",
        found=f"{value} at {when}, learning rate {learning_rate:g}",
        expected="a number",
        fix=f"lower the key 'learning_rate' of this model, for instance to {lower:g}",
    )
