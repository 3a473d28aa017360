"""Intervals of forecasts: which quantiles they ask for, and what these are called (nothing heavy is imported)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

MEDIAN = 0.5


def _are_intervals(intervals: list[float]) -> list[float]:
    for percent in intervals:
        if 0 < percent < 1:
            raise ValueError(f"interval {percent:g}: in percent, from 1: did you mean {100 * percent:g}?")
        if not 0 < percent < 100 or round(percent, 3) != percent:
            raise ValueError(f"interval {percent}: a percent between 1 and 100 with at most 3 decimals, such as 80")
    if len(set(intervals)) < len(intervals):
        raise ValueError("an interval stands twice")
    return sorted(intervals)


Intervals = Annotated[list[Annotated[float, Field(allow_inf_nan=False)]], AfterValidator(_are_intervals)]


def quantiles(intervals: Sequence[float]) -> tuple[float, ...]:
    """The levels of the quantiles that central intervals of so many percent end at, and the median, increasing.

    An interval of 80 % is that between the quantiles 0.1 and 0.9. Without intervals there are none.
    """
    if not intervals:
        return ()
    ends = [level for percent in intervals for level in ends_of(percent)]
    return tuple(sorted({*ends, MEDIAN}))


def ends_of(percent: float) -> tuple[float, float]:
    """The levels between which so many percent lie, as many below as above."""
    below = round(0.5 - percent / 200, 6)
    return below, round(1 - below, 6)


def column(level: float) -> str:
    """The column of predictions that holds a quantile; the median is `yhat`."""
    return "yhat" if level == MEDIAN else "q" + f"{level:.6f}".rstrip("0")  # no exponent: q0.00005


def called(percent: float) -> str:
    """An interval's name in `metrics.json`: its percent."""
    return f"{percent:g}"
