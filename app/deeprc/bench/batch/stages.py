"""The stages that are compared, and the least time in which any schedule could run them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

OPERATIONS = ("join", "sort")


@dataclass(frozen=True)
class BatchStage:
    """An operation on tables of so many rows by so many ranks; `copy` tells it from others of the same."""

    op: str
    rows: int
    ranks: int
    copy: int

    @property
    def name(self) -> str:
        return f"{self.op}-{self.rows}-{self.ranks}-{self.copy}"


def cases(rows: Sequence[int], ranks: Sequence[int], copies: int, apart: bool = True) -> dict[str, list[BatchStage]]:
    """`all`: every operation with every number of rows and of ranks, `copies` times; `apart`, also those of each number
    of rows, and of ranks, where there are several.
    """
    every = [BatchStage(*one) for one in product(OPERATIONS, rows, ranks, range(copies))]
    found = {"all": every}
    for name, values in (("rows", rows), ("ranks", ranks)):
        if apart and len(values) > 1:
            found |= {f"{name}={value}": [one for one in every if getattr(one, name) == value] for value in values}
    return found


def bound(stages: Iterable[BatchStage], own: Mapping[str, float], cores: int) -> float:
    """Seconds that no schedule on so many cores can do without, where each stage takes its `own` and nothing else."""
    took = [(own[stage.name], stage.ranks) for stage in stages]
    return max(sum(seconds * ranks for seconds, ranks in took) / cores, *(seconds for seconds, _ in took))
