from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from deeprc.applications.forecasting.spread import ForecastSpread
from deeprc.core.errors import InputError

COLUMNS = {"q0.1": [1.0, 2.0, 3.0, 4.0], "yhat": [2.0, 3.0, 4.0, 5.0], "q0.9": [3.0, 3.0, 5.0, 6.0]}
TOLD = {"intervals": "[80.0]", "crossed": "1"}


def read(columns: dict, told: dict = TOLD) -> ForecastSpread | None:
    return ForecastSpread.read(pa.table(columns).replace_schema_metadata(told), (2, 2), Path("GRU.arrow"))


def test_quantiles_are_read_window_by_window():
    found = read(COLUMNS)
    assert (found.intervals, found.crossed) == ([80.0], 0.25)
    assert np.array_equal(found.quantiles[1, 0], [3.0, 4.0, 5.0]) and found.quantiles.shape == (2, 2, 3)
    assert read(COLUMNS, {}) is None and read(COLUMNS, {"intervals": "[]"}) is None


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"q0.1": COLUMNS["q0.1"], "yhat": COLUMNS["yhat"]}, "these forecasts lack the quantile q0.9"),
        (COLUMNS | {"q0.9": [3.0, 3.0, 5.0, 4.0]}, "a quantile is larger than the next one"),
        (COLUMNS | {"q0.1": [1.0, np.nan, 3.0, 4.0]}, "a quantile is larger than the next one, or no number"),
    ],
)
def test_quantiles_that_are_none_are_refused(columns, problem):
    with pytest.raises(InputError, match=problem):
        read(columns)
