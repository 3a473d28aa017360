"""What a benchmark's section of docs/benchmarks.md is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deeprc.bench.chart import rounded, written


@dataclass(frozen=True)
class Verdict:
    """What was wanted, what was found, and whether that is enough."""

    wanted: str
    found: str
    met: bool

    @property
    def word(self) -> str:
        return "met" if self.met else "**missed**"


@dataclass(frozen=True)
class Section:
    """Of one benchmark."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[Verdict] = ()
    picture: str = ""


def at_least(what: str, wanted: float, found: float, unit: str = "") -> Verdict:
    return Verdict(f"{what}: {written(wanted)}{unit} or more", f"{written(found)}{unit}", found >= wanted)


def at_most(what: str, wanted: float, found: float, unit: str = "") -> Verdict:
    return Verdict(f"{what}: {written(wanted)}{unit} or less", f"{written(found)}{unit}", found <= wanted)


def spread(ratio: dict) -> str:
    return f"{written(ratio['median'])} ({written(ratio['low'])}-{written(ratio['high'])})"


def seconds(value: float, places: int = 1) -> str:
    return f"{rounded(value, places)} s"
