"""Colours and the common look of the charts.

Every colour of a mark has a contrast of at least 3:1 to the page in light and in dark (WCAG 2.1, 1.4.11), and of 4.5:1
to the white text on it (1.4.3), so that one figure serves both. Text, grid and the observed series take the page's own
colours by CSS (templates/report.css).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import plotly.graph_objects as go
from markupsafe import escape

PAGES = {"light": "#ffffff", "dark": "#161b22"}

BLUE, ORANGE, GREEN, PURPLE, RED, TEAL = "#2673cc", "#bd5810", "#1f7f4f", "#8b56cc", "#cc3a53", "#0d7d8f"
GOLD, PINK, OLIVE, SLATE, BROWN = "#8f6a08", "#bb3f92", "#647a16", "#66758f", "#96623d"
SERIES = [BLUE, ORANGE, GREEN, PURPLE, RED, TEAL, GOLD, PINK, OLIVE, SLATE, BROWN]
STAGES = {"fetch": SLATE, "check": GOLD, "prepare": TEAL, "train": BLUE, "predict": PURPLE, "evaluate": GREEN}
OTHER = SLATE

LINE = 17  # height of a line of text, pixels
OBSERVED = "observed"  # the trace of this uid is drawn in the colour of the text

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def text(value: object) -> str:
    """`value` safe for plotly, which reads a part of HTML in every label."""
    return str(escape(value))


def series(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """A colour and a dash for each name; the dash changes when the colours start again."""
    dashes = ["solid", "dot", "dash", "dashdot"]
    return {
        name: (SERIES[index % len(SERIES)], dashes[index // len(SERIES) % len(dashes)])
        for index, name in enumerate(names)
    }


def figure(*, height: int, **layout: object) -> go.Figure:
    """An empty figure in the common look; `layout` overrides it."""
    axis = {"zeroline": False, "automargin": True, "gridcolor": "#8884", "linecolor": "#8888"}
    axis |= {"title": {"standoff": 8, "font": {"size": 13}}}
    common = {
        "template": go.layout.Template(),
        "height": height,
        "autosize": True,
        "margin": {"l": 8, "r": 12, "t": 24, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": "#777"},
        "showlegend": False,
        "hoverlabel": {"bgcolor": "#1f2733", "bordercolor": "#1f2733", "font": {"color": "#fff", "family": FONT}},
        "xaxis": axis,
        "yaxis": axis,
    }
    return go.Figure(layout=common).update_layout(layout)


def measured(what: str, unit: str | None) -> str:
    """What an axis shows, with its unit where there is one."""
    return ", ".join(text(part) for part in (what, unit) if part)


def wrapped(what: str, width: int) -> str:
    """`what` in lines of at most `width` signs: those that a chart has room for in a window of 400 pixels."""
    return "<br>".join(textwrap.wrap(what, width, break_long_words=False, break_on_hyphens=False))


def value_axis(fig: go.Figure, what: str) -> None:
    """Values from 0 up; `what` they are stands above the axis, where it costs no width."""
    what = wrapped(what, 40)
    fig.update_yaxes(rangemode="tozero", fixedrange=True)
    fig.update_layout(margin_t=fig.layout.margin.t + LINE * what.count("<br>"))
    fig.add_annotation(
        x=0, xref="paper", xanchor="left", y=1, yref="paper", yanchor="bottom", yshift=4, text=what, align="left",
        showarrow=False,
    )  # fmt: skip
