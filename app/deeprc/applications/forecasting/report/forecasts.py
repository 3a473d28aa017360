"""Observed and forecast values on the test part, and the error by lead time."""

from __future__ import annotations

from datetime import datetime, timedelta

import plotly.graph_objects as go
import polars as pl

from deeprc.applications.forecasting.report.intervals import drawn_interval
from deeprc.reporting.theme import OBSERVED, figure, measured, series, text, value_axis
from deeprc.reporting.words import listing

LEADS = 12  # columns of the table of the error by lead time
LONGEST = 10_000  # steps drawn at most: beyond that, the page grows slow; the end of the test part is kept


def step_of(frame: pl.DataFrame) -> timedelta:
    """The time between two steps of a forecast."""
    one = frame.filter(pl.col("origin") == frame["origin"][0]).sort("step")
    if one.height == 1:
        return one["ds"][0] - one["origin"][0]
    return (one["ds"][-1] - one["ds"][0]) / (one["step"][-1] - one["step"][0])


def on_grid(frame: pl.DataFrame, step: timedelta) -> pl.DataFrame:
    """`ds`, `y`, `yhat` and quantiles at every step from first to last, null where there is no forecast.

    Where origins are closer than the horizon, a time has several forecasts: the one from the latest origin is kept.
    Steps of months differ in length: there only the times that have a forecast are left.
    """
    frame = frame.sort("ds", "origin").unique("ds", keep="last", maintain_order=True)
    frame = frame.select("ds", "y", "yhat", pl.selectors.matches(r"^q0\.[0-9]+$"))
    first, last = frame["ds"][0], frame["ds"][-1]
    if not _even(frame["ds"], step):
        return frame
    grid = pl.select(ds=pl.datetime_range(first, last, step, time_unit="us")).with_columns(
        pl.col("ds").cast(frame["ds"].dtype)
    )
    return grid.join(frame, on="ds", how="left", maintain_order="left")


def _even(times: pl.Series, step: timedelta) -> bool:
    since = (times - times[0]).dt.total_microseconds()
    return bool((since % (step // timedelta(microseconds=1)) == 0).all())


def forecasts(
    metrics: dict, predictions: dict[str, pl.DataFrame], shown: list[str], drawn: list[str] | None = None
) -> tuple[go.Figure, str]:
    """The observed series, a line for each model within its widest interval, and a note (or nothing).

    Parameters
    ----------
    shown
        The models that are visible at first; the page's buttons show and hide the others.
    drawn
        Of several series those that the page can show, the first of them at first: their lines' `legendgroup`.
    """
    step = step_of(next(iter(predictions.values())))
    fig = figure(height=380, hovermode="x unified", dragmode="zoom")
    look, shaded = series(_by_error(metrics, predictions)), set()
    most, longest = LONGEST // len(drawn or [""]), 0
    for number, one in enumerate(drawn or [None]):
        own = predictions if one is None else {name: frame.filter(id=one) for name, frame in predictions.items()}
        grids = {name: on_grid(frame, step) for name, frame in own.items() if frame.height}
        if not grids:
            continue
        longest = max(longest, *(grid.height for grid in grids.values()))
        grids = {name: grid.tail(most) for name, grid in grids.items()}
        fig.add_scatter(
            uid=OBSERVED,
            name="observed",
            legendgroup=one,
            visible=number == 0,
            line={"width": 1.6, "color": "#888"},
            hovertemplate="%{y:.4g}<extra>observed</extra>",
            **_line(next(iter(grids.values())), "y", step),
        )
        for name, (colour, dash) in look.items():
            if name not in grids:
                continue
            common = {"meta": name, "legendgroup": one, "visible": number == 0 and name in shown}
            if band := drawn_interval(metrics["models"][name], grids[name]):
                percent, lower, upper = band
                shaded.add(percent)
                for end, filled in ((lower, {}), (upper, {"fill": "tonexty", "fillcolor": f"{colour}33"})):
                    edge = {"line": {"width": 0, "color": colour}, "hoverinfo": "skip", **filled}
                    fig.add_scatter(**common, **edge, **_line(grids[name], end, step))
            fig.add_scatter(
                name=text(name),
                **common,
                line={"width": 1.6, "color": colour, "dash": dash},
                hovertemplate=f"%{{y:.4g}}<extra>{text(name)}</extra>",
                **_line(grids[name], "yhat", step),
            )
    fig.update_xaxes(type="date")
    value_axis(fig, measured(metrics.get("target") or "", metrics.get("unit")))
    notes = [f"The last {most:,} of {longest:,} steps of the test part are drawn."] * (longest > most)
    notes += [f"Shaded: intervals of {listing([f'{percent:g} %' for percent in sorted(shaded)])}."] * bool(shaded)
    return fig, " ".join(notes)


def _leads(metrics: dict, predictions: dict[str, pl.DataFrame]) -> tuple[float, str, str]:
    """The size of a lead of one step, the unit's sign behind it, and the title of an axis of leads."""
    count, _, unit = str(metrics.get("step") or "").partition(" ")
    if unit in ("", "hour"):
        hours = step_of(next(iter(predictions.values()))) / timedelta(hours=1)
        return hours, " h", "lead time, hours"
    if count == "1":
        return 1, f" {unit}s", f"lead time, {unit}s"
    return 1, "", f"lead time, steps of {metrics['step']}"


def lead_errors(metrics: dict, predictions: dict[str, pl.DataFrame], most: int = LEADS) -> dict:
    """The mean absolute error by how far ahead a model looks.

    Returns
    -------
    dict
        `columns`: at most so many leads as text, the first and the last among them; `rows`: by model, the best first,
        the errors at these leads; `x`, `errors`: the same for all leads; `title`: of the leads' axis.
    """
    size, sign, title = _leads(metrics, predictions)
    leads = range(1, max(frame["step"].max() for frame in predictions.values()) + 1)
    error = (pl.col("y") - pl.col("yhat")).abs().fill_nan(None).mean()  # observed values only
    errors = {}
    for name in _by_error(metrics, predictions):
        rows = predictions[name].group_by("step").agg(error.alias("mae"))
        by_step = dict(zip(rows["step"], _rounded(rows["mae"]), strict=True))
        errors[name] = [by_step.get(lead) for lead in leads]
    few = min(most, len(leads))
    chosen = sorted({round(i * (len(leads) - 1) / max(1, few - 1)) for i in range(few)})
    return {
        "columns": [f"{leads[i] * size:g}{sign if leads[i] * size != 1 else sign.removesuffix('s')}" for i in chosen],
        "rows": {name: [row[i] for i in chosen] for name, row in errors.items()},
        "x": [lead * size for lead in leads],
        "title": title,
        "errors": errors,
    }


def lead_time(metrics: dict, leads: dict, shown: list[str]) -> go.Figure:
    """The mean absolute error of each model by how far ahead it looks; `leads` as from `lead_errors`."""
    fig = figure(height=300, hovermode="x unified")
    for name, (colour, dash) in series(leads["errors"]).items():
        fig.add_scatter(
            name=text(name),
            meta=name,
            visible=name in shown,
            mode="lines+markers",
            marker={"size": 5},
            line={"width": 2, "color": colour, "dash": dash},
            x=leads["x"],
            y=leads["errors"][name],
            hovertemplate=f"%{{y:.4g}}<extra>{text(name)}</extra>",
        )
    apart = max(1, leads["x"][-1] // 8)
    fig.update_xaxes(title_text=leads["title"], fixedrange=True, rangemode="tozero", dtick=apart)
    value_axis(fig, measured("mean absolute error", metrics.get("unit")))
    return fig


def _by_error(metrics: dict, named: dict) -> list[str]:
    errors = {name: metrics["models"][name].get("mae") for name in named}
    return sorted(named, key=lambda name: (errors[name] is None, errors[name] or 0.0))


def _line(grid: pl.DataFrame, column: str, step: timedelta) -> dict:
    first: datetime = grid["ds"][0]
    even = {"x0": first.isoformat(), "dx": step / timedelta(milliseconds=1)}
    times = even if _even(grid["ds"], step) else {"x": grid["ds"].dt.to_string("iso:strict").to_list()}
    return {**times, "y": _rounded(grid[column]), "mode": "lines"}


def _rounded(values: pl.Series) -> list[float | None]:
    """Four digits: finer than a pixel, and a third of the page's size."""
    return values.cast(pl.Float64).fill_nan(None).round_sig_figs(4).to_list()
