"""Forecasting as something to be learned: the windows of the training part and their loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from deeprc.applications.forecasting.network import Forecaster, Windows
from deeprc.applications.forecasting.series import Series
from deeprc.core.errors import InputError
from deeprc.learning.origin import Origin
from deeprc.learning.torch.device import of

VALIDATION_WINDOWS = 256


class ForecastProblem:
    """Each window of the training part is a sample, known by the row that its forecast starts at.

    Of a model that forecasts all series together a sample is a time, known by the row of the first series.

    Parameters
    ----------
    with_validation
        The windows whose horizon lies in the validation part, or begins before it, are samples, too.

    Attributes
    ----------
    rows
        These rows, increasing, int64 [samples].

    Raises
    ------
    InputError
        Where a model forecasts series together that have not all begun by any time of the training part.
    """

    def __init__(self, network: Forecaster, series: Series, *, with_validation: bool = False) -> None:
        self.module, self.series, self.device = network, series, of(network)
        if network.entry.joint:
            series.refuse_apart(network.name)
        self.rows = self._samples("train", "val" if with_validation else "train")
        if not len(self.rows):  # of a joint model alone: `check` has found a window of some series
            raise InputError(
                f"{network.name} forecasts all series together, and nothing is left to learn from",
                found="in the training part, no window before which the target of each series is known",
                fix="leave out by the key 'leave_out' the series whose target begins late, or choose another split",
            )
        self._usable_before = np.concatenate([[0], np.cumsum(series.usable)])
        held_out, at_once = self._samples("val"), VALIDATION_WINDOWS // len(self._windows(self.rows[:1]))
        self.validation = self._cut(held_out[:: max(1, len(held_out) // max(1, at_once))])
        if not self.validation["mask"].any():  # few rows are known: take the windows that contain some
            count = self._count(self._windows(held_out)).reshape(len(held_out), -1)
            self.validation = self._cut(held_out[count.any(1)][: max(1, at_once)])

    def _samples(self, part: str, last: str | None = None) -> np.ndarray:
        """The rows that the samples of a part are known by, or of all parts up to the `last`."""
        origins = self.series.origins(part, last=last)
        if not self.module.entry.joint:
            return origins
        rows = origins[self.series.number(origins) == 0]
        begun = np.isin(self.series.together(rows), origins).reshape(len(rows), len(self.series.bounds))
        return rows[begun.all(1)]

    def _windows(self, rows: np.ndarray) -> np.ndarray:
        """The rows that the windows of samples start at."""
        return self.series.together(rows) if self.module.entry.joint else rows

    def _cut(self, rows: np.ndarray) -> Windows:
        """The windows of samples, on the network's device."""
        return Windows(self.series, self._windows(rows), self.device)

    def loss(self, samples: np.ndarray) -> torch.Tensor:
        """The mean loss of windows over the rows that count."""
        return self.module.loss(self._cut(self.rows[samples]))

    def weight(self, samples: np.ndarray) -> int:
        """The rows that count in the windows' horizons."""
        return int(self._count(self._windows(self.rows[samples])).sum())

    def _count(self, first: np.ndarray) -> np.ndarray:
        """The rows that count in each of the horizons that start at `first`."""
        return self._usable_before[first + self.series.meta["horizon"]] - self._usable_before[first]

    def origin(self, origin: Origin | None) -> Origin | None:
        """The origin of the series' rows, as the samples of this problem count rows."""
        joint = origin is not None and self.module.entry.joint
        return replace(origin, sample=self.series.of_first(origin.row)) if joint else origin

    def validate(self) -> float:
        """The mean absolute error (or what the loss is made of; of quantiles theirs) over windows held out, scaled."""
        return float(self.module.error(self.validation))
