"""What the hydrographs show, in words: for who cannot see them, and for browsers without JavaScript."""

from __future__ import annotations

import polars as pl

from deeprc.reporting.alternatives import extent, in_unit, span


def of_hydrograph(rows: pl.DataFrame, basin: dict) -> str:
    """One basin's rows of the predictions, and what the metrics say of it."""
    test = rows.filter(pl.col("split") == "test")["date"]
    marked = f"; the test part, {span(test.min(), test.max())}, is marked" if len(test) else "; there is no test part"
    days = span(rows["date"].min(), rows["date"].max())
    return (
        f"Lines of the observed and the simulated discharge of {basin['name']}{in_unit(basin['unit'])}, {days}"
        f"{extent(rows['obs'])}{marked}."
    )
