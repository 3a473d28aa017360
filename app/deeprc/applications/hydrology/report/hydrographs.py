"""Observed and simulated discharge of one basin."""

from __future__ import annotations

from datetime import timedelta

import plotly.graph_objects as go
import polars as pl

from deeprc.reporting.theme import BLUE, OBSERVED, figure, measured, value_axis

DAY = timedelta(days=1)


def hydrograph(rows: pl.DataFrame, unit: str) -> go.Figure:
    """Discharge by day, with the test part marked.

    Parameters
    ----------
    rows
        `date`, `split`, `obs`, `sim` of one basin; days without a row become gaps.
    """
    rows = rows.sort("date")
    days = pl.select(date=pl.date_range(rows["date"][0], rows["date"][-1], DAY)).with_columns(
        pl.col("date").cast(rows["date"].dtype)
    )
    rows = days.join(rows, on="date", how="left", maintain_order="left")
    fig = figure(height=300, hovermode="x unified", dragmode="zoom", margin={"l": 8, "r": 12, "t": 28, "b": 8})
    common = {"x0": rows["date"][0].isoformat(), "dx": DAY / timedelta(milliseconds=1), "mode": "lines"}
    for name, column, width, uid in (("observed", "obs", 1.3, OBSERVED), ("simulated", "sim", 1.5, None)):
        fig.add_scatter(
            uid=uid,
            name=name,
            y=rows[column].cast(pl.Float64).fill_nan(None).round_sig_figs(4).to_list(),
            line={"width": width, "color": BLUE},
            hovertemplate=f"%{{y:.3g}}<extra>{name}</extra>",
            **common,
        )
    test = rows.filter(pl.col("split") == "test")["date"]
    if len(test):
        fig.add_vrect(
            x0=test[0].isoformat(), x1=(test[-1] + DAY).isoformat(), fillcolor=BLUE, opacity=0.09, line_width=0
        )
    fig.update_xaxes(type="date")
    value_axis(fig, measured("discharge", unit))
    return fig


def representative(basins: dict[str, dict], most: int) -> list[str]:
    """At most `most` of the basins, spread evenly from the best to the worst test NSE."""
    ranked = sorted(basins, key=lambda name: (basins[name]["nse"] is None, -(basins[name]["nse"] or 0), name))
    if len(ranked) <= most:
        return ranked
    return [ranked[round(i * (len(ranked) - 1) / (most - 1))] for i in range(most)]
