"""Sums that are the same bytes on every machine, whatever instructions numerical libraries choose there.

BLAS, and numpy's own loops, add in an order that depends on the processor (and on OPENBLAS_CORETYPE and the like, which
may be set outside of an image and not in it). Here every sum is the exact one, rounded once: no order can show in it.
Single operations (+, -, *, /, root) are rounded alike everywhere, by IEEE 754.
"""

from __future__ import annotations

import math

import numpy as np


def total(values: np.ndarray) -> float:
    """The sum of `values`; NaN where it is not a finite number."""
    try:
        return math.fsum(values.ravel().tolist())
    except (OverflowError, ValueError):  # beyond the largest number, or infinities of both signs
        return math.nan


def mean(values: np.ndarray) -> float:
    """The mean of `values`; NaN where there are none."""
    return total(values) / values.size if values.size else math.nan


def rounded(value: float | None, digits: int = 6) -> float | None:
    """`value` with so many significant digits, to read well and compare exactly; None where it is not finite."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")
