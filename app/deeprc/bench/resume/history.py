"""What became of each sample: told from what ranks have written down as they used them, and by nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class UsedSamples(NamedTuple):
    """A rank has used these samples in a step (from 1) and epoch (from 0)."""

    step: int
    epoch: int
    samples: tuple[int, ...]


@dataclass(frozen=True)
class Fate:
    """Of all samples, over all epochs.

    Attributes
    ----------
    lost, replayed
        Uses of a sample in an epoch that the weights lack; and those beyond the first.
    undone
        Steps that were computed and did not get into the weights: another run went on before them.
    """

    lost: int
    replayed: int
    undone: int


def read(folder: Path) -> list[list[list[UsedSamples]]]:
    """By rank and start, what was written below `folder`; the last line of one that was killed may be a half."""
    ranks: dict[str, list[list[UsedSamples]]] = {}
    for path in sorted(folder.glob("*-*")):
        *whole, _ = path.read_text().split("\n")
        numbers = [tuple(map(int, line.split())) for line in whole]
        lines = [UsedSamples(one[0], one[1], one[2:]) for one in numbers]
        ranks.setdefault(path.name.split("-")[1], []).append(lines)
    return list(ranks.values())


def fate(ranks: Iterable[Sequence[Sequence[UsedSamples]]], samples: int, epochs: int) -> Fate:
    """What became of samples 0 to `samples` - 1.

    A rank begins with the step after the one that its weights are of: what it did before, from there on, is undone.
    """
    used: Counter[tuple[int, int]] = Counter()
    undone = []
    for starts in ranks:
        kept: dict[int, list[UsedSamples]] = {}
        undone.append(0)
        for lines in filter(None, starts):
            gone = [step for step in kept if step >= lines[0].step]
            undone[-1] += len(gone)
            for step in gone:
                del kept[step]
            for line in lines:
                kept.setdefault(line.step, []).append(line)
        used.update((line.epoch, sample) for of in kept.values() for line in of for sample in line.samples)
    known = [(epoch, sample) for epoch in range(epochs) for sample in range(samples)]
    return Fate(sum(not used[one] for one in known), sum(count - 1 for count in used.values()), max(undone, default=0))
