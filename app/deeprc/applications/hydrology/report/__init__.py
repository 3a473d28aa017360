"""The section of the report on rivers."""

from __future__ import annotations

import polars as pl

from deeprc.applications.hydrology.report.alternatives import of_hydrograph
from deeprc.applications.hydrology.report.content import content
from deeprc.applications.hydrology.report.hydrographs import hydrograph, representative
from deeprc.applications.hydrology.report.load import HydrologyResults, read
from deeprc.applications.hydrology.report.river_map import river_map
from deeprc.reporting import words
from deeprc.reporting.events import Execution
from deeprc.reporting.section import UNJUDGED, Card, Section, chart
from deeprc.reporting.theme import BLUE

__all__ = ["Hydrology", "read", "section"]

HYDROGRAPHS = 6  # basins that are drawn
FEW = 3  # basins whose figures the summary can hold


def section(found: HydrologyResults, tasks: list[Execution]) -> Section:
    """The section."""
    part = content(found)
    drawn = representative(part["basins"], HYDROGRAPHS) if found.predictions is not None else []
    figures, alternatives = {}, {}
    for basin in drawn:
        rows = found.predictions.filter(pl.col("basin") == basin)
        if rows.height:
            figures[basin] = chart(hydrograph(rows, part["basins"][basin]["unit"]))
            alternatives[basin] = of_hydrograph(rows, part["basins"][basin])
    values = part | {"figures": figures, "alternatives": alternatives, "colour": BLUE, "map": river_map(part["basins"])}
    return Section("hydrology", "Hydrology", __name__, values, _headline(part), _cards(part),
                   unjudged=UNJUDGED)  # fmt: skip


def _headline(part: dict) -> str | None:
    if part["median_nse"] is None:
        return None
    basins = words.count(part["judged"], "basin")
    return f"The rainfall-runoff model reaches a median NSE of {words.fixed(part['median_nse'])} over {basins}"


def _cards(part: dict) -> list[Card]:
    basins = list(part["basins"].values())
    if not basins:
        return []
    if len(basins) <= FEW:
        each = "; ".join(f"{basin['name']}, KGE {words.fixed(basin['kge'])}" for basin in basins)
        return [Card("NSE of the rivers", " · ".join(words.fixed(basin["nse"]) for basin in basins), each)]
    judged = f"; {part['judged']} of them could be judged" if part["judged"] < len(basins) else ""
    label = f"Median NSE of {words.count(len(basins), 'river')}"
    return [Card(label, words.fixed(part["median_nse"]), f"median KGE {words.fixed(part['median_kge'])}{judged}")]
