"""Accuracy of forecasts, in exact sums (`deeprc.core.exact`). What was not observed is left out by the caller."""

from __future__ import annotations

import math

import numpy as np

from deeprc.core.exact import mean, rounded


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
