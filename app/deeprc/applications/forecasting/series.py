"""The prepared series, memory-mapped, and the windows that are cut from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from deeprc.applications.base.prepared import check_parts, read_facts
from deeprc.applications.base.split import PARTS
from deeprc.applications.forecasting.apart import apart
from deeprc.applications.forecasting.features import GAP
from deeprc.learning.mapped import Mapped, mapped


@dataclass(frozen=True)
class Series:
    """The prepared series, one after the other.

    Attributes
    ----------
    rows
        `y`, the covariates of the past and the calendar, scaled, float32; `usable`, whether a row is observed or lies
        in a short gap: what counts in the loss; of columns with gaps `gap:<column>` (`features.fill`). They stay in the
        files: windows are cut from there.
    bounds
        The rows at which each series' training, validation and test part begin and it ends, int64 [series, 4].
    scale
        Mean and standard deviation that each series' target was scaled by, float64 [series, 2].
    """

    rows: Mapped
    bounds: np.ndarray
    scale: np.ndarray
    meta: dict

    @cached_property
    def y(self) -> np.ndarray:
        """Scaled target, float32 [rows], gaps filled."""
        return self.rows.column("y")

    @cached_property
    def usable(self) -> np.ndarray:
        """What counts in the loss, bool [rows]."""
        return self.rows.column("usable")

    @cached_property
    def observed(self) -> np.ndarray:
        """Whether a row was observed: what counts in metrics, bool [rows]."""
        return self.rows.column("observed")

    @cached_property
    def y_raw(self) -> np.ndarray:
        """The target in its unit, NaN where it was not observed, float64 [rows]."""
        return self.rows.table["y_raw"].to_numpy().astype(np.float64)

    @cached_property
    def ds(self) -> np.ndarray:
        """Times, datetime64[us] [rows]."""
        return self.rows.table["ds"].to_numpy()

    @property
    def ids(self) -> list[str]:
        """What the series are called."""
        return [about["id"] for about in self.meta["series"]]

    def number(self, rows: np.ndarray) -> np.ndarray:
        """The series that each of `rows` belongs to."""
        return np.searchsorted(self.bounds[:, 0], rows, side="right") - 1

    @cached_property
    def begun(self) -> np.ndarray:
        """The row of each series' first known value of the target [series]."""
        return np.array([begin + int(self.usable[begin:end].argmax()) for begin, *_, end in self.bounds])

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(self.rows.table.column_names)

    def bridge(self, name: str, origins: np.ndarray) -> np.ndarray | None:
        """How many rows right before `origins` are interpolated in a column; None where it has no such gap."""
        return self.rows.take(GAP + name, origins - 1) if GAP + name in self._columns else None

    def known(self, name: str, rows: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """A column at `rows` [windows, n], which lie before `origins` [windows], as it was known there.

        A short gap is interpolated towards the value that ends it. Where that lies at the origin or behind it, nobody
        knew it there: the last value before the gap is carried on.
        """
        if (count := self.bridge(name, origins)) is not None:
            rows = np.minimum(rows, (origins - 1 - count)[:, None])
        return self.rows.take(name, rows)

    def unscaled(self, y: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Scaled values [windows, horizon, …] of windows that start at `origins`, in the target's unit."""
        mean, deviation = self.scale[self.number(origins)].T.reshape(2, -1, *[1] * (y.ndim - 1))
        return y.astype(np.float64) * deviation + mean

    def origins(self, part: str, *, stride: int = 1, last: str | None = None) -> np.ndarray:
        """Rows that a forecast of a part may start at, so that its whole horizon lies in the part of one series.

        Where a `last` part is given, in one of those from `part` to it, or in two of them.

        The rows that it starts from may lie in an earlier part; in training they all lie in the training part. Before
        the first known value of a series' target none starts: there is nothing to start from.
        """
        index, (length, horizon) = PARTS.index(part), (self.meta["input_size"], self.meta["horizon"])
        firsts = np.maximum(np.maximum(self.bounds[:, index], self.bounds[:, 0] + length), self.begun + 1)
        ends = self.bounds[:, PARTS.index(last or part) + 1] - horizon + 1
        return np.concatenate([np.arange(first, end, stride) for first, end in zip(firsts, ends, strict=True)])

    def together(self, origins: np.ndarray) -> np.ndarray:
        """The rows of all series at the times of `origins`, rows of the first one: time after time [times * series]."""
        return (origins[:, None] + (self.bounds[:, 0] - self.bounds[0, 0])).ravel()

    def of_first(self, rows: np.ndarray) -> np.ndarray:
        """The rows of the first series at the times of `rows`, each of any series."""
        return rows - self.bounds[self.number(rows), 0] + self.bounds[0, 0]

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
    return Series(
        rows=mapped(prepared / "series.arrow"),
        bounds=np.array([about["bounds"] for about in meta["series"]]),
        scale=np.array([about["scaler"]["y"] for about in meta["series"]]),
        meta=meta,
    )
