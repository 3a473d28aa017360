"""Skill of simulated discharge; None where a figure is not defined, since JSON has no NaN.

Without BLAS and in exact sums, so that the figures are the same bytes in an image and out of it (`deeprc.core.exact`).
"""

from __future__ import annotations

import math

import numpy as np

from deeprc.core.exact import mean, rounded, total

DIGITS = 9  # of a figure: whoever computes it from the predictions gets the same, in whatever order


def nse(obs: np.ndarray, sim: np.ndarray) -> float | None:
    """Nash-Sutcliffe efficiency: 1 - sum((sim - obs)^2) / sum((obs - mean(obs))^2).

    1 is perfect, 0 as good as always saying the observed mean. Not defined for constant observations.
    Source: Nash & Sutcliffe 1970, doi:10.1016/0022-1694(70)90255-6.
    """
    return _finite(1 - total((sim - obs) ** 2) / total(_deviation(obs) ** 2)) if _varies(obs) else None


def kge(obs: np.ndarray, sim: np.ndarray) -> float | None:
    """Kling-Gupta efficiency: 1 - sqrt((r - 1)^2 + (alpha - 1)^2 + (beta - 1)^2).

    r is the linear correlation, alpha = std(sim) / std(obs), beta = mean(sim) / mean(obs). 1 is perfect; always saying
    the observed mean gets about -0.41. Not defined where observations or simulation are constant, or the observed mean
    is 0. Source: Gupta et al. 2009, eq. 9-10, doi:10.1016/j.jhydrol.2009.08.003.
    """
    if not (_varies(obs) and _varies(sim)) or mean(obs) == 0:
        return None
    d_obs, d_sim = _deviation(obs), _deviation(sim)
    s_obs, s_sim = math.sqrt(mean(d_obs**2)), math.sqrt(mean(d_sim**2))
    r = mean((d_obs / s_obs) * (d_sim / s_sim))
    alpha, beta = s_sim / s_obs, mean(sim) / mean(obs)
    return _finite(1 - math.sqrt((r - 1) ** 2 + (alpha - 1) ** 2 + (beta - 1) ** 2))


def rmse(obs: np.ndarray, sim: np.ndarray) -> float | None:
    """Root of the mean squared error, in the unit of the discharge."""
    return _finite(math.sqrt(mean((sim - obs) ** 2)))


def bias(obs: np.ndarray, sim: np.ndarray) -> float | None:
    """mean(sim) - mean(obs), in the unit of the discharge: above 0 is too much water."""
    return _finite(mean(sim) - mean(obs))


def skill(obs: np.ndarray, sim: np.ndarray) -> dict[str, float | int | None]:
    """All figures over the days that have both values, with 9 significant digits.

    Parameters
    ----------
    obs, sim
        Discharge per day, NaN where missing; shape (days,).

    Returns
    -------
    `nse`, `kge`, `rmse`, `bias` and `days`, the number of days compared.
    """
    both = np.isfinite(obs) & np.isfinite(sim)
    obs, sim = obs[both].astype(np.float64), sim[both].astype(np.float64)
    figures = {measure.__name__: rounded(measure(obs, sim), DIGITS) for measure in (nse, kge, rmse, bias)}
    return figures | {"days": int(both.sum())}


def _deviation(values: np.ndarray) -> np.ndarray:
    return values - mean(values)


def _varies(values: np.ndarray) -> bool:
    # Rounding gives a constant a variance; values of 1e-200 vary, but their squares are 0.
    return len(values) > 0 and bool(np.ptp(values) > 0 and mean(_deviation(values) ** 2) > np.finfo(np.float64).tiny)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
