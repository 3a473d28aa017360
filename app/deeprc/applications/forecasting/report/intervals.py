"""Forecast intervals: how many observed values lie within them, how wide they are, and which one is drawn."""

from __future__ import annotations

import polars as pl

from deeprc.applications.forecasting.intervals import column, ends_of

FAR = 0.05  # of all values: where more or fewer than wanted lie within an interval, the page says so


def intervals(metrics: dict) -> dict:
    """The table of intervals.

    Returns
    -------
    dict
        `names`: the intervals' percents as numbers, of all models; `rows`: of each model that has some, by CRPS, its
        `crps`, `wql`, `crossed`, and `each`: for each of the names what was wanted, `found` (a fraction) and `width`
        (None where not known), and whether that is `narrow` or `wide`.
    """
    told = {name: row for name, row in metrics["models"].items() if row.get("coverage")}
    names = sorted({percent for row in told.values() for percent in _percents(row)})
    rows = []
    for name, row in told.items():
        each = []
        for percent in names:
            found, width = (_by_percent(row.get(key)).get(percent) for key in ("coverage", "width"))
            off = 0 if found is None else found - percent / 100
            off = off if abs(off) > FAR else 0
            each.append({"wanted": percent, "found": found, "width": width, "narrow": off < 0, "wide": off > 0})
        rows.append({"name": name, "each": each, **{key: row.get(key) for key in ("crps", "wql", "crossed")}})
    return {
        "names": names,
        "rows": sorted(rows, key=lambda row: (row["crps"] is None, row["crps"] or 0.0, row["name"])),
    }


def drawn_interval(row: dict, frame: pl.DataFrame) -> tuple[float, str, str] | None:
    """The widest interval of a model in percent, and the columns of its ends; None where there is none."""
    for percent in reversed(_percents(row)):
        lower, upper = map(column, ends_of(percent))
        if {lower, upper} <= set(frame.columns):
            return percent, lower, upper
    return None


def _percents(row: dict) -> list[float]:
    return sorted(_by_percent(row.get("coverage")))


def _by_percent(told: dict | None) -> dict[float, float | None]:
    return {float(name): value for name, value in (told or {}).items()}
