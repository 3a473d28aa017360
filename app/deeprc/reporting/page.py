"""The page: template, style, script, charts and plotly.js in one file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import plotly.graph_objects as go
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from deeprc.core.fingerprint import KEY
from deeprc.reporting import content, words
from deeprc.reporting.activity import activity, where
from deeprc.reporting.alternatives import of_forecasts, of_hydrograph, of_leads, of_ranking, of_timeline
from deeprc.reporting.events import Run, Task
from deeprc.reporting.figures.forecasts import forecasts, lead_errors, lead_time
from deeprc.reporting.figures.hydrographs import hydrograph, representative
from deeprc.reporting.figures.ranking import LOOK, ranking
from deeprc.reporting.figures.timeline import timeline
from deeprc.reporting.load import Forecasting, Hydrology
from deeprc.reporting.theme import BLUE, series

HYDROGRAPHS = 6  # basins that are drawn


@cache
def environment() -> Environment:
    """The templates, in which a name that is not there is an error."""
    made = Environment(
        loader=PackageLoader("deeprc.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        name: getattr(words, name) for name in ("number", "fixed", "duration", "moment", "percent", "listing")
    }
    made.filters["where"] = where
    templates = files("deeprc.reporting") / "templates"
    made.globals |= {
        "count": words.count,
        "css": Markup((templates / "report.css").read_text(encoding="utf-8")),
        "js": Markup((templates / "report.js").read_text(encoding="utf-8")),
        "plotlyjs": Markup(get_plotlyjs()),
    }
    return made


def chart(fig: go.Figure) -> Markup:
    """A figure as JSON that is safe within a `<script>` element."""
    return _safe(fig.to_json(remove_uids=False))


def _safe(text: str) -> Markup:
    """JSON within a `<script>` element: no `<` is left in it that could end the element."""
    return Markup(text.replace("<", "\\u003c"))


def render(
    *,
    forecasting: Forecasting | None,
    hydrology: Hydrology | None,
    run: Run | None,
    tasks: list[Task],
    provenance: dict,
    left_out: Sequence[str] = (),
) -> str:
    """The whole page as HTML.

    Parameters
    ----------
    run
        The newest run, or None where no events were recorded.
    tasks
        The latest execution of each stage, whichever run it was in.
    provenance
        What run.json holds.
    left_out
        Why runs could not be read.
    """
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            forecasting=_forecasting(forecasting, tasks) if forecasting else None,
            hydrology=_hydrology(hydrology) if hydrology else None,
            run=activity(run, tasks) | {"timeline": chart(timeline(run)), "alternative": of_timeline(run)}
            if run
            else None,
            provenance=provenance,
            made_from=_safe(json.dumps({KEY: provenance.get(KEY)})),
            settings=content.settings(provenance["config"]),
            left_out=left_out,
        )
    )


def _forecasting(found: Forecasting, tasks: list[Task]) -> dict:
    part = content.forecasting(found, tasks)
    figures, alternatives, leads, note = {}, {}, None, ""
    unit = part["about"]["unit"]
    if bars := ranking(found.metrics):
        figures["ranking"], alternatives["ranking"] = bars, of_ranking(part["rows"], unit)
    if found.predictions:
        leads = lead_errors(found.metrics, found.predictions)
        figures["forecasts"], note = forecasts(found.metrics, found.predictions, part["shown"], part["series"]["drawn"])
        figures["lead_time"] = lead_time(found.metrics, leads, part["shown"])
        alternatives["forecasts"] = of_forecasts(found.predictions, part["target"], unit)
        alternatives["lead_time"] = of_leads(leads, unit)
    chips = series(row["name"] for row in part["rows"] if row["name"] in found.predictions)
    return part | {
        "figures": {name: chart(figure) for name, figure in figures.items()},
        "chips": [{"name": n, "colour": c, "dash": d, "shown": n in part["shown"]} for n, (c, d) in chips.items()],
        "alternatives": alternatives,
        "leads": leads,
        "look": {kind: colour for kind, (colour, _) in LOOK.items()},
        "note": note,
    }


def _hydrology(found: Hydrology) -> dict:
    part = content.hydrology(found)
    drawn = representative(part["basins"], HYDROGRAPHS) if found.predictions is not None else []
    figures, alternatives = {}, {}
    for basin in drawn:
        rows = found.predictions.filter(pl.col("basin") == basin)
        if rows.height:
            figures[basin] = chart(hydrograph(rows, part["basins"][basin]["unit"]))
            alternatives[basin] = of_hydrograph(rows, part["basins"][basin])
    return part | {"figures": figures, "alternatives": alternatives, "colour": BLUE}
