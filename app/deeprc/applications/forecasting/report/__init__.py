"""The section of the report on forecasts."""

from __future__ import annotations

from deeprc.applications.forecasting.report.alternatives import of_forecasts, of_leads, of_ranking
from deeprc.applications.forecasting.report.content import content
from deeprc.applications.forecasting.report.forecasts import forecasts, lead_errors, lead_time
from deeprc.applications.forecasting.report.load import ForecastingResults, read
from deeprc.applications.forecasting.report.ranking import LOOK, ranking
from deeprc.reporting import words
from deeprc.reporting.events import Execution
from deeprc.reporting.section import UNJUDGED, Card, Section, chart
from deeprc.reporting.theme import series

__all__ = ["Forecasting", "read", "section"]


def section(found: ForecastingResults, tasks: list[Execution]) -> Section:
    """The section; `tasks` are the latest of each stage, and tell how long the training took."""
    part = content(found, tasks)
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
    values = part | {
        "figures": {name: chart(figure) for name, figure in figures.items()},
        "chips": [{"name": n, "colour": c, "dash": d, "shown": n in part["shown"]} for n, (c, d) in chips.items()],
        "alternatives": alternatives,
        "leads": leads,
        "look": {kind: colour for kind, (colour, _) in LOOK.items()},
        "note": note,
    }
    return Section("forecasting", "Forecasting", __name__, values, _headline(part), _cards(part),
                   unjudged=UNJUDGED)  # fmt: skip


def _headline(part: dict) -> str | None:
    best, naive, gain = part["best"], part["naive"], part["gain"]
    if not best:
        return None
    if gain is not None and gain > 0:
        saved = words.percent(gain)
        return f"{best['name']} forecasts {part['target']} with {saved} less error than the best naive forecast"
    if naive:
        return f"No model forecasts {part['target']} better than the best naive forecast"
    return f"{best['name']} forecasts {part['target']} with a mean absolute error of {_error(part)}"


def _error(part: dict) -> str:
    return " ".join(filter(None, [words.number(part["best"]["mae"]), part["about"]["unit"]]))


def _cards(part: dict) -> list[Card]:
    best, naive, meaning = part["best"], part["naive"], part["words"]
    if not best:
        return []
    beside = f", {naive['name']} {words.number(naive['mae'])}" if naive else ""
    cards = [Card("Best model", best["name"], f"MAE {_error(part)}{beside}")]
    if naive:
        told = "every one is better than a naive forecast"
        if part["worse"]:
            told = f"{meaning['neither']}: {words.listing(part['worse'])}"
        elif part["unknown"]:
            told = f"not known of {part['unknown']}"
        cards.append(Card(f"Models {meaning['both']}", str(part["counts"]["both"]), told, f"of {part['models']}"))
    return cards
