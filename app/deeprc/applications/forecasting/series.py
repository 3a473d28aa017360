"""The prepared series, memory-mapped, and the windows that are cut from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deeprc.applications.base.prepared import check_parts, read_facts, read_frame
from deeprc.applications.base.split import PARTS
from deeprc.applications.forecasting.apart import apart


@dataclass(frozen=True)
class Series:
    """The prepared series, one after the other.

    Attributes
    ----------
    y
        Scaled target, float32 [rows], gaps filled.
    usable
        Whether a row is observed or lies in a short gap: what counts in the loss, bool [rows].
    observed
        Whether a row was observed: what counts in metrics, bool [rows].
    y_raw
        The target in its unit, NaN where it was not observed, float64 [rows].
    history, future
        Scaled covariates of the past and the calendar, float32 [rows, columns].
    ds
        Times, datetime64[us] [rows].
    bounds
        The rows at which each series' training, validation and test part begin and it ends, int64 [series, 4].
    scale
        Mean and standard deviation that each series' target was scaled by, float64 [series, 2].
    """

    y: np.ndarray
    usable: np.ndarray
    observed: np.ndarray
    y_raw: np.ndarray
    history: np.ndarray
    future: np.ndarray
    ds: np.ndarray
    bounds: np.ndarray
    scale: np.ndarray
    meta: dict

    @property
    def ids(self) -> list[str]:
        """What the series are called."""
        return [about["id"] for about in self.meta["series"]]

    def number(self, rows: np.ndarray) -> np.ndarray:
        """The series that each of `rows` belongs to."""
        return np.searchsorted(self.bounds[:, 0], rows, side="right") - 1

    def unscaled(self, y: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Scaled values [windows, horizon] of windows that start at `origins`, in the target's unit."""
        mean, deviation = self.scale[self.number(origins)].T[:, :, None]
        return y.astype(np.float64) * deviation + mean

    def origins(self, part: str, *, stride: int = 1) -> np.ndarray:
        """Rows that a forecast of a part may start at, so that its whole horizon lies in the part of one series.

        The rows that it starts from may lie in an earlier part; in training they all lie in the training part.
        """
        index, (length, horizon) = PARTS.index(part), (self.meta["input_size"], self.meta["horizon"])
        firsts = np.maximum(self.bounds[:, index], self.bounds[:, 0] + length)
        ends = self.bounds[:, index + 1] - horizon + 1
        return np.concatenate([np.arange(first, end, stride) for first, end in zip(firsts, ends, strict=True)])

    def together(self, origins: np.ndarray) -> np.ndarray:
        """The rows of all series at the times of `origins`, rows of the first one: time after time [times * series]."""
        return (origins[:, None] + (self.bounds[:, 0] - self.bounds[0, 0])).ravel()

    def refuse_apart(self, model: str) -> None:
        """Refuse series that do not all begin and end at the same times: `model` forecasts them together."""
        lengths = self.bounds - self.bounds[:, :1]
        for number in range(1, len(self.bounds)):
            begins = self.ds[self.bounds[[0, number], 0]]
            if (lengths[number] != lengths[0]).any() or begins[0] != begins[1]:
                raise apart(model, self.ids[0], self.ids[number])

    def counting(self, origins: np.ndarray) -> np.ndarray:
        """Those of `origins` whose horizon has a row that counts in the loss."""
        before = np.concatenate([[0], np.cumsum(self.usable)])
        return origins[before[origins + self.meta["horizon"]] > before[origins]]


def load(prepared: Path) -> Series:
    """Map a prepared folder into memory; an InputError where a part of it is missing or was changed."""
    check_parts(prepared)
    meta = read_facts(prepared / "meta.json")
    table = read_frame(prepared, "series.arrow")

    def matrix(names: list[str]) -> np.ndarray:
        return np.stack([table[name].to_numpy() for name in names], axis=1) if names else np.empty((len(table), 0))

    return Series(
        y=table["y"].to_numpy().astype(np.float32),
        usable=table["usable"].to_numpy(),
        observed=table["observed"].to_numpy(),
        y_raw=table["y_raw"].to_numpy().astype(np.float64),
        history=matrix(meta["history"]).astype(np.float32),
        future=matrix(meta["future"]).astype(np.float32),
        ds=table["ds"].to_numpy(),
        bounds=np.array([about["bounds"] for about in meta["series"]]),
        scale=np.array([about["scaler"]["y"] for about in meta["series"]]),
        meta=meta,
    )
