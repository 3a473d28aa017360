"""The models in the order of their error, with the naive forecasts as lines."""

from __future__ import annotations

import plotly.graph_objects as go

from deeprc.reporting.theme import BLUE, GOLD, RED, figure, text

# standing -> colour, pattern; the pattern tells what the colour tells, for who cannot see the colours apart
LOOK = {"both": (BLUE, ""), "one": (GOLD, "/"), "neither": (RED, "x")}
WORDS = {"both": "better than both naive forecasts", "one": "better than one of them", "neither": "worse than both"}


def standing(mae: float, naive: dict[str, dict]) -> str:
    """How a model compares with the naive forecasts: `both` (beats them all), `one` (at least one) or `neither`."""
    beaten = [mae < row["mae"] for row in naive.values()]
    return "both" if all(beaten) else "one" if any(beaten) else "neither"


def ranking(metrics: dict) -> go.Figure:
    """A bar of mean absolute error for each model, the best on top; a dashed line for each naive forecast."""
    rows = sorted(metrics["models"].items(), key=lambda item: item[1]["mae"])
    unit = text(metrics.get("unit", ""))
    fig = figure(height=110 + 30 * len(rows), bargap=0.34, barmode="overlay", margin={"l": 8, "r": 16, "t": 48, "b": 8})
    for kind, (colour, pattern) in LOOK.items():
        chosen = [(text(name), row["mae"]) for name, row in rows if standing(row["mae"], metrics["naive"]) == kind]
        if not chosen:
            continue
        fig.add_bar(
            orientation="h",
            y=[name for name, _ in chosen],
            x=[mae for _, mae in chosen],
            text=[f"{mae:#.3g}" for _, mae in chosen],
            textposition="inside",
            insidetextanchor="start",  # where no line of a naive forecast crosses it
            textangle=0,
            insidetextfont={"color": "#fff"},
            marker={
                "color": colour,
                "pattern": {"shape": pattern, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.3)", "size": 7},
            },
            hovertemplate=f"%{{y}}: %{{x:.4g}} {unit}<br>{WORDS[kind]}<extra></extra>",
        )
    for index, (name, row) in enumerate(metrics["naive"].items()):
        fig.add_vline(x=row["mae"], line={"dash": "dash" if index % 2 == 0 else "dot", "width": 2, "color": "#888"})
        fig.add_annotation(
            x=row["mae"],
            y=1,
            yref="paper",
            yanchor="bottom",
            yshift=17 * (index % 2),  # the lines are often close: one label above the other
            xanchor="right",
            text=f"{text(name)} {row['mae']:#.3g}",
            showarrow=False,
        )
    widest = max(row["mae"] for row in (*metrics["models"].values(), *metrics["naive"].values()))
    order = [text(name) for name, _ in reversed(rows)]
    fig.update_yaxes(categoryorder="array", categoryarray=order, showgrid=False, fixedrange=True, ticksuffix=" ")
    fig.update_xaxes(title_text=f"mean absolute error, {unit}", range=[0, 1.06 * widest], fixedrange=True)
    return fig
