"""The section of the report."""

from pathlib import Path

from deeprc.applications.base.results import read_results
from deeprc.reporting import words
from deeprc.reporting.events import Execution
from deeprc.reporting.section import Card, Results, Section, chart
from deeprc.reporting.theme import figure


def read(folder: Path) -> Results | None:
    """The metrics; None where there are none."""
    return read_results(folder, images=int, accuracy=float, reference=float, confusion=list)


def section(found: Results, tasks: list[Execution]) -> Section:
    """The share of right digits, and which are taken for which."""
    told = found.metrics
    fig = figure(height=420)
    fig.add_heatmap(z=told["confusion"], colorscale="Blues", texttemplate="%{z}", showscale=False)
    fig.update_xaxes(title_text="told", dtick=1).update_yaxes(title_text="digit", dtick=1, autorange="reversed")
    right, naive = words.percent(told["accuracy"]), words.percent(told["reference"])
    cards = [Card("Digits told right", right, f"{naive} by the nearest mean image")]
    values = told | {"figure": chart(fig), "right": right, "naive": naive}
    return Section("digits", "Digits", "deeprc_digits", values, f"{right} of the digits are told right", cards)
