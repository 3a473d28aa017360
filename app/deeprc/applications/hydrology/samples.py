"""Windows of scaled weather for one network, cut out of the mapped files when a batch is made: none is ever stored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from deeprc.applications.base.scaler import Scaler
from deeprc.applications.hydrology.prepared import Prepared
from deeprc.applications.hydrology.splits import complete
from deeprc.learning.mapped import Mapped


def groups(prepared: Prepared) -> dict[str, list[str]]:
    """The networks to train, by name, each with its basins.

    Basins with the same inputs and the same unit share one regional network; a basin without its like has its own.
    """
    alike: dict[tuple, list[str]] = {}
    for basin, about in prepared.basins.items():
        alike.setdefault((about["unit"], *about["inputs"]), []).append(basin)
    regional = sum(len(basins) > 1 for basins in alike.values())
    named: dict[str, list[str]] = {}
    for basins in alike.values():
        number = f"-{len(named) + 1}" if regional > 1 else ""
        named[basins[0] if len(basins) == 1 else f"regional{number}"] = basins
    return named


@dataclass(frozen=True)
class Samples:
    """The rows of the basins of one network.

    Parameters
    ----------
    frame, rows
        Rows of `Prepared.frame`, and their numbers in it, int64.
    mapped, inputs
        All rows of the prepared data in the mapped files, and the columns that are the network's inputs, float64.
    weather
        Their scaler.
    season
        Sine and cosine of the day of the year; shape (rows, 2), float32.
    static
        Scaled attributes, or which basin it is; shape (basins, columns), float32; no columns for a single basin.
    code
        The index of each row's basin in `static`; shape (rows,).
    ends
        Rows that end a complete window; shape (windows,).
    """

    frame: pl.DataFrame
    rows: np.ndarray
    mapped: Mapped
    inputs: list[str]
    weather: Scaler
    season: np.ndarray
    static: np.ndarray
    code: np.ndarray
    ends: np.ndarray
    window: int

    @property
    def width(self) -> int:
        """Columns of a window."""
        return len(self.inputs) + self.season.shape[1] + self.static.shape[1]

    @cached_property
    def obs(self) -> np.ndarray:
        """Observed discharge, NaN where missing; shape (rows,)."""
        return self.frame["obs"].fill_null(np.nan).to_numpy()

    def of(self, part: str) -> np.ndarray:
        """The ends of the windows of one part whose discharge is observed."""
        mine = (self.frame["split"] == part).to_numpy()
        return self.ends[mine[self.ends] & np.isfinite(self.obs[self.ends])]

    def windows(self, ends: np.ndarray) -> np.ndarray:
        """The windows that end at the rows `ends`; shape (len(ends), window, width), float32."""
        raw = self.mapped.windows(self.inputs, self.rows[ends] + (1 - self.window), self.window)
        season = self.season[ends[:, None] + np.arange(1 - self.window, 1)]
        static = np.broadcast_to(self.static[self.code[ends], None], (*season.shape[:2], self.static.shape[1]))
        return np.concatenate([self.weather.scale(raw).astype(np.float32), season, static], axis=2)


def make_samples(prepared: Prepared, basins: list[str], weather: Scaler | None = None) -> tuple[Samples, Scaler]:
    """The samples of `basins` and the scaler of their weather.

    Parameters
    ----------
    weather
        A trained network's scaler; left out, one is fitted on the training part.
    """
    abouts = [prepared.basins[basin] for basin in basins]
    inputs = list(abouts[0]["inputs"])
    mine = prepared.frame["basin"].is_in(basins)
    frame, rows = prepared.frame.filter(mine), np.flatnonzero(mine.to_numpy())
    values = frame.select(pl.col(inputs).fill_null(np.nan)).to_numpy()
    scaler = weather or Scaler.fit(values[(frame["split"] == "train").to_numpy()])
    days = frame["date"].to_numpy().astype("datetime64[D]")
    year = 2 * np.pi * (days - days.astype("datetime64[Y]")).astype(int) / 365.25
    season = np.column_stack([np.sin(year), np.cos(year)]).astype(np.float32)
    code = frame["basin"].replace_strict(basins, range(len(basins)), return_dtype=pl.Int64).to_numpy()
    known = np.isfinite(values).all(axis=1)
    ends = np.flatnonzero(complete(code, days, known, prepared.window))
    everything = prepared.mapped or Mapped(prepared.frame.select(inputs).to_arrow(), gaps=True)
    parts = (everything, inputs, scaler, season, _static(abouts), code, ends)
    return Samples(frame, rows, *parts, prepared.window), scaler


def _static(abouts: list[dict]) -> np.ndarray:
    """What tells the basins of a regional network apart: their attributes, or, where they have none, their names."""
    if len(abouts) == 1:
        return np.zeros((1, 0), np.float32)
    if not abouts[0]["attributes"]:
        return np.eye(len(abouts), dtype=np.float32)
    names = list(abouts[0]["attributes"])
    values = np.array([[about["attributes"][name] for name in names] for about in abouts])
    learned = [not about.get("held_out") for about in abouts]
    return Scaler.fit(values[learned]).scale(values).astype(np.float32)
