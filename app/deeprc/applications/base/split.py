"""The parts that data are split into, and the key of the configuration that says how."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

PARTS = ("train", "val", "test")


def _leaves_something(split: tuple[float, float]) -> tuple[float, float]:
    if sum(split) >= 1:
        raise ValueError(f"split {list(split)} leaves nothing to test: the two must add up to less than 1")
    return split


Fraction = Annotated[float, Field(gt=0, lt=1)]
Split = Annotated[tuple[Fraction, Fraction], AfterValidator(_leaves_something)]
