"""What every model is judged beside, and that needs none of its training: naive forecasts and a linear model."""

from __future__ import annotations

import numpy as np

from deeprc.applications.forecasting.series import Series

LEAST_SQUARES_WINDOWS = 20_000  # at most, spread over the training part
RIDGE = 1e-3  # of the mean square of an input: little enough to matter only where inputs say the same


def naive_forecasts(series: Series) -> dict[str, np.ndarray]:
    """The last known value, and the value of one season before, for each forecast of the test part.

    Where less than a season lies before the test part of a series, the last value stands in.

    Returns
    -------
    dict
        name -> forecasts [windows, horizon] in the target's unit.
    """
    horizon = series.meta["horizon"]
    origins = series.origins("test", stride=horizon)
    before = series.bounds[:, 2] - series.bounds[:, 0]
    season = np.where(before >= series.meta["season"], series.meta["season"], 1)[series.number(origins)][:, None]
    rows = origins[:, None] - season + np.arange(horizon) % season
    # Gaps filled, as the models see them.
    last, before = (series.known("y", wanted, origins) for wanted in (origins[:, None] - 1, rows))
    return {
        "last value": np.repeat(series.unscaled(last, origins), horizon, axis=1),
        "seasonal naive": series.unscaled(before, origins),
    }


def linear_forecast(series: Series) -> np.ndarray | None:
    """Each step ahead as a weighted sum of the past, by least squares over the training part of all series together.

    Windows are shifted by their last value (NLinear, Zeng et al. 2023, arXiv:2205.13504). None where no window of the
    training part is known to its end.

    Returns
    -------
    numpy.ndarray
        Forecasts [windows, horizon] of the test part in the target's unit.
    """
    length, horizon = series.meta["input_size"], series.meta["horizon"]
    usable = np.concatenate([[0], np.cumsum(series.usable)])
    origins = series.origins("train")
    origins = origins[usable[origins + horizon] - usable[origins] == horizon]
    if not len(origins):
        return None
    origins = origins[:: -(-len(origins) // LEAST_SQUARES_WINDOWS)]

    def past(first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = series.known("y", first[:, None] + np.arange(-length, 0), first).astype(np.float64)
        return np.concatenate([z - z[:, -1:], np.ones((len(z), 1))], axis=1), z[:, -1:]

    squares, products = np.zeros((length + 1, length + 1)), np.zeros((length + 1, horizon))
    for part in np.array_split(origins, -(-len(origins) // 2000)):
        x, level = past(part)
        squares += x.T @ x
        products += x.T @ (series.y[part[:, None] + np.arange(horizon)] - level)
    squares[np.diag_indices(length + 1)] += RIDGE * max(np.trace(squares) / (length + 1), 1e-12)
    weights = np.linalg.solve(squares, products)
    test = series.origins("test", stride=horizon)
    x, level = past(test)
    return series.unscaled(x @ weights + level, test)
