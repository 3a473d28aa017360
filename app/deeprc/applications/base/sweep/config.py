"""The key `sweep` of the workflow's configuration (read by Snakemake at every start: nothing heavy is imported)."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from deeprc.core.settings import Settings
from deeprc.learning.config import Halving

Positive = Annotated[int, Field(gt=0)]
Number = Annotated[int | float, Field(allow_inf_nan=False)]


class Between(Settings):
    """A range that values are drawn from; whole numbers, where both ends are."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    least: Number
    """The smallest value."""
    most: Number
    """The largest value."""
    scale: Literal["linear", "log"] = "linear"
    """`log`: each order of magnitude is as likely as another."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least >= self.most:
            raise ValueError(f"least {self.least}: it must be below most ({self.most})")
        if self.scale == "log" and self.least <= 0:
            raise ValueError(f"least {self.least}: a logarithmic range is above 0")
        return self

    def draw(self, chance: random.Random) -> int | float:
        """One value; of four significant digits, so that people can say it."""
        if self.scale == "log":
            value = math.exp(chance.uniform(math.log(self.least), math.log(self.most)))
        else:
            value = chance.uniform(self.least, self.most)
        if isinstance(self.least, int) and isinstance(self.most, int):
            return min(self.most, max(self.least, round(value)))
        return min(self.most, max(self.least, float(f"{value:.4g}")))


def _kind(value: object) -> str:
    return "range" if isinstance(value, dict | Between) else "values"


Values = Annotated[list[Any], Field(min_length=1)]
Tried = Annotated[Annotated[Values, Tag("values")] | Annotated[Between, Tag("range")], Discriminator(_kind)]


class Sweep(Settings):
    """Trainings that differ in some options, instead of the pipeline's one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    over: dict[str, Tried] = Field(min_length=1)
    """What is tried: keys of the pipeline's configuration, those within others with dots
    (`training.optimisation.clip`), each with a list of values or, of a random search, a range. The values of `seed`
    repeat every combination."""
    draw: Positive | None = None
    """Random search: so many combinations are drawn; all of them (a grid) when left out. One more draws one more."""
    draw_seed: Annotated[int, Field(ge=0)] = 1
    """Of what is drawn."""
    most: Positive = 50
    """Trainings that the sweep may start; one that would be more is refused, with its number."""
    halving: Halving | None = None
    """Successive halving, by Optuna: trainings tell each other their validation losses, and those that others are ahead
    of end early. Of PyTorch, and of one seed."""
    ranks: Positive | None = None
    """MPI ranks of the costliest training; others get as many less as they cost less (a power of 2, at least one). As
    the pipeline's own key `training` says, when left out."""


def combinations(axes: dict[str, list | Between], sweep: Sweep) -> Iterator[dict[str, Any]]:
    """All combinations of the values of `axes`, or so many of them as are drawn."""
    if sweep.draw is None:
        yield from (dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()))
        return
    for number in range(sweep.draw):
        # Keyed by axis and number: neither one axis nor one draw more changes what was drawn before.
        drawn = {key: random.Random(f"{sweep.draw_seed} {key} {number}") for key in axes}
        yield {
            key: of.draw(drawn[key]) if isinstance(of, Between) else drawn[key].choice(of) for key, of in axes.items()
        }
