"""The trials of a sweep as one table: mean and spread over repetitions, ranks, and what can be called the best."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVEL = 0.05  # chance of calling something the best that is not


@dataclass(frozen=True)
class Spread:
    """The mean of some repetitions, their standard deviation (None of one alone), and how many there are."""

    mean: float
    sd: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """None where a value is not known."""
        if any(value is None or not math.isfinite(value) for value in values):
            return None
        mean = math.fsum(values) / len(values)
        square = math.fsum((value - mean) ** 2 for value in values)
        return cls(mean, math.sqrt(square / (len(values) - 1)) if len(values) > 1 else None, len(values))


@dataclass
class Ranked:
    """One combination of options, over its repetitions.

    Attributes
    ----------
    task
        What it can be compared within: trials on the same prepared data.
    figures
        By name: mean and spread, None where one is not known.
    halved
        The step after which a halving ended it; what the others became it might have become, too.
    place
        Among those of the same task, from 1; None without the figure that is ranked by, or where it is `halved`.
    alike
        Of the first: the labels of those that it cannot be told from.
    best
        Whether it is better than all others of its task beyond the spread; None where that cannot be known.
    """

    task: str
    label: str
    values: dict[str, Any]
    repeats: list[Any]
    figures: dict[str, Spread | None]
    halved: int | None = None
    place: int | None = None
    alike: list[str] = field(default_factory=list)
    best: bool | None = None


def rows(trials: Sequence[dict], *, repeats: str, goal: str, better: str, apart: Sequence[str] = ()) -> list[Ranked]:
    """The rows of the table, task by task, the first in place first.

    Parameters
    ----------
    trials
        Each with `task`, `values` and `figures`.
    repeats
        The key whose values repeat a combination.
    apart
        Keys that tell tasks apart, and need not be said of a row.
    """
    found: dict[str, list[dict]] = {}
    for trial in trials:
        values = {key: value for key, value in trial["values"].items() if key != repeats}
        found.setdefault(json.dumps([trial["task"], values], sort_keys=True), []).append(trial | {"values": values})
    made = [
        Ranked(
            task=same[0]["task"],
            label=", ".join(_said(*one) for one in same[0]["values"].items() if one[0] not in apart) or "as configured",
            values=same[0]["values"],
            repeats=[trial["repeat"] for trial in same],
            halved=next((trial["halved"] for trial in same if trial.get("halved")), None),
            figures={name: Spread.of([trial["figures"][name] for trial in same]) for name in same[0]["figures"]},
        )
        for same in found.values()
    ]
    tasks = list(dict.fromkeys(row.task for row in made))
    sign = 1 if better == "lower" else -1

    def order(row: Ranked) -> tuple[bool, float]:
        spread = row.figures[goal]
        return row.halved is not None, sign * spread.mean if spread else math.inf

    for task in tasks:
        mine = sorted((row for row in made if row.task == task), key=order)
        known = [row for row in mine if row.figures[goal] and row.halved is None]
        for place, row in enumerate(known, 1):
            row.place = place
        if known:
            _judge(known[0], known[1:], goal)
    return [row for task in tasks for row in sorted((row for row in made if row.task == task), key=order)]


def _judge(first: Ranked, others: list[Ranked], goal: str) -> None:
    """Say whether the first is better than all others beyond the spread."""
    mine = first.figures[goal]
    spreads = [row.figures[goal] for row in others]
    if not others or mine.sd is None or any(spread.sd is None for spread in spreads):
        return
    # Bonferroni: of many others one is soon worse by chance.
    first.alike = [
        row.label for row, spread in zip(others, spreads, strict=True) if beyond(mine, spread) > LEVEL / len(others)
    ]
    first.best = not first.alike


def beyond(one: Spread, other: Spread) -> float:
    """The chance that two means lie so far apart, or farther, in this direction, where they are equal in truth.

    Welch's test, one-sided: t = |difference| / √(s₁²/n₁ + s₂²/n₂). Source: Welch 1947, doi:10.1093/biomet/34.1-2.28.
    """
    parts = [spread.sd**2 / spread.count for spread in (one, other)]
    apart = abs(one.mean - other.mean)
    if sum(parts) == 0:
        return 0.0 if apart else 0.5
    freedom = sum(parts) ** 2 / sum(
        part**2 / (spread.count - 1) for part, spread in zip(parts, (one, other), strict=True)
    )
    return _upper(apart / math.sqrt(sum(parts)), freedom)


def _upper(t: float, freedom: float) -> float:
    """The upper tail of Student's distribution: with x = √ν tan θ its density is cos^(ν-1) θ over a constant."""
    edge = math.atan(t / math.sqrt(freedom))
    whole = 0.5 * math.sqrt(math.pi) * math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2))
    nodes, weights = np.polynomial.legendre.leggauss(64)
    angles = edge + (math.pi / 2 - edge) * (nodes + 1) / 2
    part = float(np.sum(weights * np.cos(angles) ** (freedom - 1))) * (math.pi / 2 - edge) / 2
    return min(0.5, 0.5 * part / whole)


def _said(key: str, value: object) -> str:
    if isinstance(value, str):
        return value
    return f"{key.rpartition('.')[2]} {json.dumps(value, ensure_ascii=False)}"
