"""Naive references that a model must beat."""

from __future__ import annotations

import numpy as np

HALF_WIDTH = 15  # days on either side: a month, smooth enough for a few years of data


def climatology(days: np.ndarray, obs: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The mean observed discharge around each day of the year in the training part.

    The observed mean, which the NSE compares with, knows the test part's own mean; this one knows only the past, and
    the season. It uses what the model has too: no discharge of the last days.

    Parameters
    ----------
    days, obs, train
        Per day: datetime64[D]; discharge, NaN where missing; whether it is in the training part. Shape (days,).

    Returns
    -------
    float64 array, shape (days,); NaN where no day of the training part is near.
    """
    season = (days - days.astype("datetime64[Y]")).astype(int)  # 0 … 365
    use = train & np.isfinite(obs)
    total, count = (np.bincount(season[use], weights, minlength=366) for weights in (obs[use], None))
    near = (np.arange(366)[:, None] + np.arange(-HALF_WIDTH, HALF_WIDTH + 1)) % 366
    number = count[near].sum(1)
    mean = np.divide(total[near].sum(1), number, out=np.full(366, np.nan), where=number > 0)
    return mean[season]


def persistence(days: np.ndarray, obs: np.ndarray) -> np.ndarray:
    """Yesterday's observed discharge.

    It is reported only for orientation: it uses discharge up to the day before, which the model never sees.

    Parameters
    ----------
    days, obs
        Per day, sorted: datetime64[D]; discharge, NaN where missing. Shape (days,).
    """
    before = np.full(len(obs), np.nan)
    follows = np.diff(days) == np.timedelta64(1, "D")
    before[1:][follows] = obs[:-1][follows]
    return before
