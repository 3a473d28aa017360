"""The folder that `prepare` writes: `frame.arrow/part-*.arrow` (rows sorted by basin and date) and `meta.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.applications.base.prepared import check_parts, read_facts
from deeprc.learning.mapped import Mapped, mapped

FRAME, META = "frame.arrow", "meta.json"


@dataclass(frozen=True)
class Prepared:
    """The prepared data.

    Parameters
    ----------
    frame
        `basin` str, `date`, `split` (train, val, test), `obs` float64 (in the basin's unit; null where missing),
        `quality` str and every input of any basin (float64, null where missing); sorted by basin and date.
    meta
        The data set's name, `window` (days) and the basins by name: see `prepare`.
    mapped
        The rows of the frame where they lie in the files.
    """

    frame: pl.DataFrame
    meta: dict
    mapped: Mapped | None = None

    @property
    def basins(self) -> dict[str, dict]:
        """What is known about each basin, by basin."""
        return self.meta["basins"]

    @property
    def window(self) -> int:
        """Days of weather in a window."""
        return self.meta["window"]


def read_prepared(folder: Path) -> Prepared:
    """The data in the folder that `prepare` wrote.

    Raises
    ------
    InputError
        Where a part of it is missing or was changed (see `deeprc.applications.base.prepared`).
    """
    check_parts(folder)
    rows = mapped(folder / FRAME, gaps=True)
    return Prepared(pl.from_arrow(rows.table, rechunk=False), read_facts(folder / META), rows)
