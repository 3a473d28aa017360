"""Several series: which model suits each, which are forecast worst, and which are drawn."""

from __future__ import annotations

from collections import Counter

LISTED = 20  # series at either end of the table
DRAWN = 6  # series that the charts can show


def by_series(metrics: dict) -> list[dict]:
    """A row for each series, the worst first: those whose best model gains least on the better naive forecast.

    `gain` is the part of the naive error that the model saves, None where one of the two is not known.
    """
    rows = []
    for name, found in (metrics.get("series") or {}).items():
        model, error, mase = _least(found.get("models") or {})
        naive, standard, _ = _least(found.get("naive") or {})
        gain = 1 - error / standard if error is not None and standard else None
        rows.append(
            {
                "name": name,
                "model": model,
                "mae": error,
                "mase": mase,
                "naive": naive,
                "naive_mae": standard,
                "gain": gain,
            }
        )
    return sorted(rows, key=lambda row: (row["gain"] is None, row["gain"] or 0.0, row["name"]))


def listed(rows: list[dict]) -> list[dict]:
    """The rows of the table: all, or the two ends of a long list."""
    return rows if len(rows) <= 2 * LISTED else rows[:LISTED] + rows[-LISTED:]


def drawn(rows: list[dict], most: int = DRAWN) -> list[str]:
    """Names of at most so many series, spread evenly from the best to the worst."""
    names = [row["name"] for row in reversed(rows)]
    few = min(most, len(names))
    return [names[round(index * (len(names) - 1) / max(1, few - 1))] for index in range(few)]


def winners(rows: list[dict]) -> list[tuple[str, int]]:
    """The models that are the best of some series, and of how many."""
    return Counter(row["model"] for row in rows if row["model"]).most_common()


def _least(named: dict[str, dict]) -> tuple[str | None, float | None, float | None]:
    known = {name: row for name, row in named.items() if row.get("mae") is not None}
    if not known:
        return None, None, None
    name = min(known, key=lambda name: (known[name]["mae"], name))
    return name, known[name]["mae"], known[name].get("mase")
