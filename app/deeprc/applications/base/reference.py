"""Whether a model is better than what needs no model: the report says so where it is not."""

from __future__ import annotations

from typing import Literal


def beats(found: float | None, reference: float | None, *, better: Literal["lower", "higher"]) -> bool | None:
    """Whether a figure is better than the reference's, None where one of the two is not known; equal is no better."""
    if found is None or reference is None:
        return None
    return found < reference if better == "lower" else found > reference
