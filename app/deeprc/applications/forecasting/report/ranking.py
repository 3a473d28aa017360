"""The models in the order of their error, with the naive forecasts as lines."""

from __future__ import annotations

import plotly.graph_objects as go

from deeprc.reporting.theme import BLUE, GOLD, LINE, RED, SLATE, figure, measured, text, wrapped

# standing -> colour, pattern; the pattern tells what the colour tells, for who cannot see the colours apart
LOOK = {"both": (BLUE, ""), "one": (GOLD, "/"), "neither": (RED, "x")}


def words(naive: dict[str, dict]) -> dict[str, str]:
    """What each standing means, beside the naive forecasts whose error is known."""
    match len(_by_error(naive)):
        case 1:
            return {"both": "better than the naive forecast", "neither": "not better than it"}
        case 2:
            every, some, no = "both", "one", "neither"
        case _:
            every, some, no = "all", "some", "none"
    return {
        "both": f"better than {every} naive forecasts",
        "one": f"better than {some} of them",
        "neither": f"better than {no}",
    }


def standing(mae: float | None, naive: dict[str, dict]) -> str | None:
    """How a model compares with the naive forecasts: `both` (beats them all), `one` (at least one) or `neither`.

    None where its error is not known, or that of no naive forecast.
    """
    beaten = [mae is not None and mae < each for _, each in _by_error(naive)]
    if mae is None or not beaten:
        return None
    return "both" if all(beaten) else "one" if any(beaten) else "neither"


def ranking(metrics: dict) -> go.Figure | None:
    """A bar of mean absolute error for each model, the best on top; a dashed line for each naive forecast.

    Models without an error are left out; None where no model has one.
    """
    rows, naive = (_by_error(metrics[kind]) for kind in ("models", "naive"))
    if not rows:
        return None
    unit, meaning = text(metrics.get("unit") or ""), words(metrics["naive"])
    fig = figure(height=110 + 30 * len(rows), bargap=0.34, barmode="overlay", margin={"l": 8, "r": 16, "t": 48, "b": 8})
    for kind, (colour, pattern) in {**LOOK, None: (SLATE, "")}.items():
        chosen = [(text(name), mae) for name, mae in rows if standing(mae, metrics["naive"]) == kind]
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
            hovertemplate=f"%{{y}}: %{{x:.4g}} {unit}{'<br>' + meaning[kind] if kind else ''}<extra></extra>",
        )
    for index, (name, mae) in enumerate(naive):
        fig.add_vline(x=mae, line={"dash": "dash" if index % 2 == 0 else "dot", "width": 2, "color": "#888"})
        fig.add_annotation(
            x=mae,
            y=1,
            yref="paper",
            yanchor="bottom",
            yshift=LINE * (index % 2),  # the lines are often close: one label above the other
            xanchor="right",
            text=f"{text(name)} {mae:#.3g}",
            showarrow=False,
        )
    widest = max(mae for _, mae in (*rows, *naive)) or 1
    order = [text(name) for name, _ in reversed(rows)]
    fig.update_yaxes(categoryorder="array", categoryarray=order, showgrid=False, fixedrange=True, ticksuffix=" ")
    title = wrapped(measured("mean absolute error", metrics.get("unit")), 26)
    fig.update_layout(height=fig.layout.height + LINE * title.count("<br>"))
    fig.update_xaxes(title_text=title, range=[0, 1.06 * widest], fixedrange=True)
    return fig


def _by_error(rows: dict[str, dict]) -> list[tuple[str, float]]:
    known = [(name, row["mae"]) for name, row in rows.items() if row.get("mae") is not None]
    return sorted(known, key=lambda item: item[1])
