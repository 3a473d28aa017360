"""The prepared series, memory-mapped, and the windows that are cut from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deeprc.prepared import check_parts, read_facts, read_frame

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Series:
    """A prepared series.

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
    """

    y: np.ndarray
    usable: np.ndarray
    observed: np.ndarray
    y_raw: np.ndarray
    history: np.ndarray
    future: np.ndarray
    ds: np.ndarray
    meta: dict

    @property
    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation that the target was scaled by."""
        return tuple(self.meta["scaler"]["y"])

    def origins(self, part: str, *, stride: int = 1) -> np.ndarray:
        """Rows that a forecast of a part may start at, so that its whole horizon lies in the part.

        The hours that it starts from may lie in an earlier part; in training they all lie in the training part.
        """
        edges = (0, *self.meta["cuts"], self.meta["rows"])
        begin, end = edges[PARTS.index(part)], edges[PARTS.index(part) + 1]
        return np.arange(max(begin, self.meta["input_size"]), end - self.meta["horizon"] + 1, stride)


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
        meta=meta,
    )
