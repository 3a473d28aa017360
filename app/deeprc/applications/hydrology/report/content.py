"""What the section says, as plain values for the template."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from deeprc.applications.hydrology.report.load import SKILLS, HydrologyResults
from deeprc.reporting.content import facts


def content(found: HydrologyResults) -> dict:
    """All of it but the charts; basins as the metrics order them, with None for what is not known of them."""
    unknown = dict.fromkeys(SKILLS)
    checked = found.check.get("basins") or {}
    basins = {
        key: unknown
        | row
        | {
            "name": row.get("name") or key,
            "unit": row.get("unit") or "",
            "train": unknown | (row.get("train") or {}),
            "references": {name: unknown | (part or {}) for name, part in (row.get("references") or {}).items()},
            "beats_reference": row.get("beats_reference"),
            "held_out": bool(row.get("held_out")),
            "place": _place(checked.get(key)),
        }
        for key, row in found.metrics["basins"].items()
    }
    return {
        "dataset": found.metrics.get("dataset"),
        "basins": basins,
        "judged": sum(row["nse"] is not None for row in basins.values()),
        "median_nse": _median(row["nse"] for row in basins.values()),
        "median_kge": _median(row["kge"] for row in basins.values()),
        "check": {key: told for key, value in checked.items() if (told := facts(value or {}))},
    }


def _place(checked: dict | None) -> tuple[float, float] | None:
    """Latitude and longitude of a basin by its check."""
    told = (checked or {}).get("place") or {}
    found = tuple(told.get(name) for name in ("latitude", "longitude"))
    return None if None in found else found


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
