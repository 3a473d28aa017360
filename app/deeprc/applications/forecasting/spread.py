"""The quantiles that a model's predictions hold beside the median."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from deeprc.applications.forecasting.intervals import column
from deeprc.applications.forecasting.intervals import quantiles as levels_of
from deeprc.core.errors import InputError


@dataclass(frozen=True)
class ForecastSpread:
    """Forecast intervals.

    Attributes
    ----------
    quantiles
        In the target's unit, in order [windows, horizon, levels].
    intervals
        In percent; the levels are those of `intervals.quantiles`.
    crossed
        The part of all values whose quantiles the model had not given in order; None where not known.
    """

    quantiles: np.ndarray
    intervals: Sequence[float]
    crossed: float | None = None

    @classmethod
    def read(cls, table: pa.Table, shape: tuple[int, int], path: Path) -> ForecastSpread | None:
        """What a file of predictions of so many windows and steps holds; None where it has no intervals.

        Raises
        ------
        InputError
            Where a column is missing, or quantiles are not in order.
        """
        intervals = json.loads((table.schema.metadata or {}).get(b"intervals", b"[]"))
        if not intervals:
            return None
        names = [column(level) for level in levels_of(intervals)]
        if missing := [name for name in names if name not in table.column_names]:
            raise InputError(f"these forecasts lack the quantile {missing[0]}", where=path, fix="forecast them anew")
        found = np.stack([table[name].to_numpy() for name in names], axis=-1)
        if not (np.diff(found) >= 0).all():
            raise InputError("a quantile is larger than the next one, or no number", where=path, fix="forecast anew")
        return cls(found.reshape(*shape, -1), intervals, int(table.schema.metadata[b"crossed"]) / max(1, len(table)))
