"""What the models of the bench learn: made-up series of ETT's size, and a network that the zoo does not have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from deeprc.applications.forecasting.network import Forecaster
from deeprc.applications.forecasting.problem import ForecastProblem
from deeprc.applications.forecasting.series import Series
from deeprc.applications.forecasting.zoo import ZOO, Entry, entry
from deeprc.learning.mapped import mapped

SERIES, PAST, AHEAD, DAY = 7, 96, 96, 24
SHARDS = 4  # of elastic, as where a configuration says nothing
LEARNING_RATE = 1e-3
# NeuralForecast's own size of its perceptron, 1.2 million weights: what notes of its speed are of.
MLP = Entry({"num_layers": 2, "hidden_size": 1024}, "NeuralForecast's own sizes")
MODELS = ("MLP", "NHITS", "LSTM")


@contextmanager
def with_mlp() -> Iterator[None]:
    """Within it the zoo has NeuralForecast's MLP, as docs/add-a-model.md says."""
    ZOO["MLP"] = MLP
    try:
        yield
    finally:
        del ZOO["MLP"]


def write(folder: Path, rows: int) -> None:
    """Series of `rows` rows each to learn from, and one horizon to be judged by, in two parts, as ranks write them."""
    chance, hours = np.random.default_rng(1), np.arange(rows + AHEAD)
    each = [
        np.sin(2 * np.pi * hours / DAY + number) + chance.normal(size=len(hours)) / 2 for number in range(SERIES)
    ]  # fmt: skip
    table = pa.table({"y": np.concatenate(each).astype(np.float32), "usable": np.ones(SERIES * len(hours), bool)})
    for part, half in enumerate((table.slice(0, len(table) // 2), table.slice(len(table) // 2))):
        with pa.ipc.new_file(folder / f"part-{part:05d}.arrow", table.schema) as file:
            file.write_table(half)


def read(folder: Path) -> Series:
    """What `write` has written, mapped, as `prepare` leaves it: scaled, without covariates and calendar."""
    rows = mapped(folder)
    each = len(rows) // SERIES
    bounds = np.array(
        [[begin, begin + each - AHEAD, begin + each, begin + each] for begin in range(0, len(rows), each)]
    )
    names = [{"id": f"series {number}"} for number in range(SERIES)]
    meta = {"horizon": AHEAD, "input_size": PAST, "history": [], "future": [], "series": names}
    return Series(rows, bounds, np.tile([0.0, 1.0], (SERIES, 1)), meta)


def problem(name: str, series: Series) -> ForecastProblem:
    """A model as the pipeline trains it; windows go into it as they are, as into NeuralForecast's."""
    options = entry(name).options
    return ForecastProblem(Forecaster(name, options, series.meta, level="none", calendar=False), series)
