"""A file with several series, of months, in no order, with gaps, and covariates that are called as internals are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.applications.forecasting.config import DataConfig
from deeprc.applications.forecasting.series import Series
from deeprc.learning.mapped import Mapped

CONFIG = DataConfig(dataset="csv", time="ds", target="y", horizon=6, input_size=12, split=(0.6, 0.2), max_gap=2)
SERIES = {"ç": (62, datetime(1990, 5, 1)), "a": (90, datetime(1995, 1, 31)), "B": (151, datetime(1991, 12, 1))}


def write_series(path: Path) -> Path:
    """Three series of other starts, lengths, levels and days of the month; "ç" knows no value of the column `row`."""
    chance, frames = np.random.default_rng(1), []
    for number, (name, (length, first)) in enumerate(SERIES.items()):
        index = np.arange(length)
        times = pl.select(pl.lit(first).dt.offset_by(pl.Series([f"{months}mo" for months in index]))).to_series()
        cycle = 2 * np.sin(2 * np.pi * (index + first.month) / 12)
        y = 10.0**number * (10 + index / 30 + cycle + chance.normal(size=length) / 5)
        known = (index % 17 != 3) & ~((index > 20) & (index < 26))
        frame = pl.DataFrame({"unique_id": [name] * length, "ds": times, "y": y, "row": chance.normal(size=length)})
        frame = frame.with_columns(
            pl.when(pl.Series(known)).then("y").alias("y"),
            pl.when(name != "ç").then("row").alias("row"),
            pl.Series("usable", chance.normal(size=length)),
        )
        frames.append(frame.filter(pl.Series(index % 23 != 11)))
    pl.concat(frames).sample(fraction=1, shuffle=True, seed=1).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path


def made_up(horizon: int, input_size: int, covariates: int) -> Series:
    """Noise in two series of 60 rows, with so many covariates of the past, and of the future."""
    chance, rows = np.random.default_rng(1), 120
    names = [f"x:{index}" for index in range(covariates)]
    ahead = [f"f:{index}" for index in range(covariates)]
    numbers = {name: chance.normal(size=rows).astype(np.float32) for name in ("y", *names, *ahead)}
    times = (np.arange(rows) % 60).astype("datetime64[us]")
    return Series(
        rows=Mapped(pa.table({**numbers, "usable": np.ones(rows, bool), "ds": times})),
        bounds=np.array([[0, 58, 59, 60], [60, 118, 119, 120]]),
        scale=np.array([[0.0, 1.0], [5.0, 2.0]]),
        meta={
            "horizon": horizon,
            "input_size": input_size,
            "history": names,
            "future": ahead,
            "series": [{"id": "a"}, {"id": "b"}],
        },
    )


def altered(series: Series, **columns: np.ndarray) -> Series:
    """The series with other values in some columns."""
    table = series.rows.table
    named = {name: table[name] for name in table.column_names} | columns
    return replace(series, rows=Mapped(pa.table(named)))
