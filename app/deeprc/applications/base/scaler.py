"""Means and standard deviations that inputs are scaled by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scaler:
    """Means and standard deviations, per column.

    Parameters
    ----------
    mean, std
        Shape (columns,); a column that does not vary has the standard deviation 1.
    """

    mean: list[float]
    std: list[float]

    @classmethod
    def fit(cls, values: np.ndarray) -> Scaler:
        """The scaler of the rows of `values`, shape (rows, columns); NaN is left out."""
        std = np.nanstd(values, axis=0)
        return cls(np.nanmean(values, axis=0).tolist(), np.where(std > 0, std, 1.0).tolist())

    def scale(self, values: np.ndarray) -> np.ndarray:
        """`values` in standard deviations from the mean."""
        return (values - np.array(self.mean)) / np.array(self.std)

    def restore(self, values: np.ndarray) -> np.ndarray:
        """The values that `scale` scaled."""
        return values * np.array(self.std) + np.array(self.mean)
