"""Accuracy of forecasts, in exact sums (`deeprc.core.exact`). What was not observed is left out by the caller."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from deeprc.applications.forecasting.intervals import called, ends_of
from deeprc.applications.forecasting.intervals import quantiles as levels_of
from deeprc.core.exact import mean, rounded, total


def mae(y: np.ndarray, yhat: np.ndarray) -> float:
    """Mean absolute error, mean |y - ŷ|, in the unit of y."""
    return mean(np.abs(y - yhat))


def rmse(y: np.ndarray, yhat: np.ndarray) -> float:
    """Root mean squared error, √mean (y - ŷ)², in the unit of y."""
    return math.sqrt(mean((y - yhat) ** 2))


def smape(y: np.ndarray, yhat: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, 100 · mean 2|y - ŷ| / (|y| + |ŷ|), in percent (0 to 200).

    Where both are zero the term is zero. Source: Makridakis 1993, doi:10.1016/0169-2070(93)90079-3.
    """
    size = np.abs(y) + np.abs(yhat)
    terms = np.divide(2 * np.abs(y - yhat), size, out=np.zeros_like(size), where=size > 0)
    return 100 * mean(terms)


def mase(y: np.ndarray, yhat: np.ndarray, scale: float | None) -> float | None:
    """Mean absolute scaled error, mean |y - ŷ| / scale, without unit; None where there is no scale, or one of zero.

    Source: Hyndman and Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001. `scale` as from `seasonal_scale`.
    """
    return mae(y, yhat) / scale if scale else None


def seasonal_scale(train: np.ndarray, season: int) -> float | None:
    """Mean |y_t - y_(t-m)| over the training part, m = `season` steps: the seasonal naive forecast's error in sample.

    `train` holds NaN where nothing was observed; pairs with a NaN are left out. None where no pair is left.
    """
    change = np.abs(train[season:] - train[:-season])
    known = change[~np.isnan(change)]
    return mean(known) if known.size else None


def scores(y: np.ndarray, yhat: np.ndarray, scale: float | None) -> dict[str, float | None]:
    """All four, rounded to 6 significant digits so that they read well and compare exactly; None where not known."""
    values = {"mae": mae(y, yhat), "rmse": rmse(y, yhat), "smape": smape(y, yhat), "mase": mase(y, yhat, scale)}
    return {name: rounded(value) for name, value in values.items()}


def quantile_loss(y: np.ndarray, forecast: np.ndarray, level: float) -> np.ndarray:
    """2 max(q (y - ŷ), (q - 1) (y - ŷ)) of each value, q = `level`, in the unit of y.

    Source: Koenker and Bassett 1978, doi:10.2307/1913643; twice of it, as in GluonTS.
    """
    below = y - forecast
    return 2 * np.maximum(level * below, (level - 1) * below)


def crps(y: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """The continuous ranked probability score, ∫ 2 max(q (y - F⁻¹(q)), (q - 1) (y - F⁻¹(q))) dq, in the unit of y.

    Of the quantiles [values, levels] that are there, by the trapezoidal rule; towards the levels 0 and 1, where it is
    0, the loss falls in a straight line. Of one forecast without a spread, and levels close together, the mean absolute
    error. Source: Gneiting and Ranjan 2011, doi:10.1198/jbes.2010.08110.
    """
    places = [0.0, *levels, 1.0]
    losses = [0.0, *(mean(quantile_loss(y, quantiles[:, i], level)) for i, level in enumerate(levels)), 0.0]
    steps = zip(itertools.pairwise(places), itertools.pairwise(losses), strict=True)
    return math.fsum((end - begin) * (one + other) / 2 for (begin, end), (one, other) in steps)


def wql(y: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float | None:
    """The weighted quantile loss, Σ 2 max(q (y - ŷ), (q - 1) (y - ŷ)) / Σ |y|, the mean over the levels; without unit.

    None where all observed values are 0. Source: GluonTS, `mean_wQuantileLoss` (Alexandrov et al. 2020,
    jmlr.org/papers/v21/19-820.html).
    """
    size = total(np.abs(y))
    losses = [total(quantile_loss(y, quantiles[:, i], level)) for i, level in enumerate(levels)]
    return math.fsum(losses) / len(levels) / size if size > 0 else None


def interval_scores(y: np.ndarray, quantiles: np.ndarray, intervals: Sequence[float]) -> dict[str, Any]:
    """How good forecast intervals are, rounded as `scores`; None where not known.

    Parameters
    ----------
    quantiles
        In order, [values, levels] with the levels of `intervals.quantiles`.
    intervals
        In percent.

    Returns
    -------
    dict
        `crps`, `wql`; by interval, the part of observed values that lie within it or on its ends (`coverage`), and the
        mean width in the unit of y (`width`).
    """
    levels = levels_of(intervals)
    found = {"crps": rounded(crps(y, quantiles, levels)), "wql": rounded(wql(y, quantiles, levels))}
    coverage, width = {}, {}
    for percent in intervals:
        lower, upper = (quantiles[:, levels.index(end)] for end in ends_of(percent))
        coverage[called(percent)] = rounded(mean((lower <= y) & (y <= upper)))
        width[called(percent)] = rounded(mean(upper - lower))
    return found | {"coverage": coverage, "width": width}
