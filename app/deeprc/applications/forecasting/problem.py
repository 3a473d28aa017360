"""Forecasting as something to be learned: the windows of the training part and their loss."""

from __future__ import annotations

import numpy as np
import torch

from deeprc.applications.forecasting.network import Forecaster, windows
from deeprc.applications.forecasting.series import Series

VALIDATION_WINDOWS = 256


class ForecastProblem:
    """Each window of the training part is a sample, known by the row that its forecast starts at.

    Attributes
    ----------
    rows
        These rows, increasing, int64 [samples].
    """

    def __init__(self, network: Forecaster, series: Series) -> None:
        self.module, self.series, self.rows = network, series, series.origins("train")
        self._usable_before = np.concatenate([[0], np.cumsum(series.usable)])
        held_out = series.origins("val")
        self.validation = windows(series, held_out[:: max(1, len(held_out) // VALIDATION_WINDOWS)])
        if not self.validation["mask"].any():  # few rows are known: take the windows that contain some
            self.validation = windows(series, series.counting(held_out)[:VALIDATION_WINDOWS])

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        """The mean loss of windows over the rows that count."""
        return self.module.loss(windows(self.series, self.rows[samples]))

    def weight(self, samples: np.ndarray) -> int:
        """The rows that count in the windows' horizons."""
        first = self.rows[samples]
        return int((self._usable_before[first + self.series.meta["horizon"]] - self._usable_before[first]).sum())

    def validate(self) -> float:
        """The mean absolute error over the windows held out, scaled."""
        error = (self.module(self.validation) - self.validation["y"]).abs() * self.validation["mask"]
        return float(error.sum() / self.validation["mask"].sum())
