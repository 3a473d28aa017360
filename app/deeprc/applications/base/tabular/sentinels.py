"""Numbers that stand for a missing value, such as -9999: told by their distance from all other values."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeprc.applications.base.tabular.numbers import word

# What loggers, models and archives write for a missing value. A positive one may as well be a value.
NEGATIVE = [-99.0, -99.9, -99.99, -999.0, -999.9, -999.99, -9999.0, -9999.9, -6999.0, -7999.0, -8888.0, -99999.0]
NEGATIVE += [-999999.0, -9999999.0, -32768.0, -2147483648.0]
POSITIVE = [999.0, 999.9, 999.99, 9999.0, 9999.9, 99999.0, 999999.0, 32767.0, 1e20, 1e30, 9.96921e36]
ODD = 5  # as often must a number stand that is in none of the lists, beside as many others


@dataclass(frozen=True)
class Sentinel:
    """A suspicious number: how often it stands, and between which two all others lie.

    `kind`: `certain`, negative, one of those that are in use, and far below all others; `likely`, positive, and as far
    above them; `odd`, in no list, but often and very far away.
    """

    value: float
    count: int
    low: float
    high: float
    kind: str

    def __str__(self) -> str:
        return f"{word(self.value)} ({self.count:,} times; all other values lie from {self.low:.6g} to {self.high:.6g})"


def find_sentinel(values: pl.Series) -> Sentinel | None:
    """The number among `values` (float64, null where missing) that seems to mean a missing value."""
    known = values.drop_nulls()
    if known.is_empty():
        return None
    for end, candidates, kind in ((known.min(), NEGATIVE, "certain"), (known.max(), POSITIVE, "likely")):
        others = known.filter(known != end)
        if others.is_empty():
            continue
        low, high = others.min(), others.max()
        count, away = len(known) - len(others), max(low - end, end - high)
        if any(abs(end - value) <= 1e-6 * abs(value) for value in candidates):
            if away > 3 * (high - low) or (kind == "certain" and end <= -999 and low >= 0):
                return Sentinel(end, count, low, high, kind)
        elif count >= ODD and away > 10 * (high - low) and others.n_unique() >= ODD and end != 0:
            return Sentinel(end, count, low, high, "odd")
    return None
