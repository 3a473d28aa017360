"""Which task ran when on which cores."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import plotly.graph_objects as go

from deeprc.reporting.events import Execution, Run
from deeprc.reporting.theme import OTHER, PURPLE, RED, STAGES, figure, text

UNKNOWN = "cores not told"
SHOWN = 0.5  # seconds of imports from which on they have a bar


def colour(task: Execution) -> str:
    """The colour of a task's stage."""
    return STAGES.get(task.stage, OTHER)


def short(task: Execution) -> str:
    """What to write on a task's bar: its wildcards (the colour tells the stage), else the stage."""
    return ", ".join(task.wildcards.values()) or task.stage


def timeline(run: Run) -> go.Figure:
    """A row for each core, a bar for each task on it; time in seconds from the start of the workflow."""
    places = sorted({place for task in run.tasks for place in task.places}, key=_natural)
    several = len({node for node, _ in places}) > 1
    names = {place: f"{text(place[0])} core {place[1]}" if several else f"core {place[1]}" for place in places}
    bars = [(names[place], task) for task in run.tasks for place in task.places]
    bars += [(UNKNOWN, task) for task in run.tasks if not task.cores]
    rows = [*names.values(), *([UNKNOWN] if not all(task.cores for task in run.tasks) else [])]
    thick = max(10, min(54, 640 // max(1, len(rows))))
    fig = figure(height=84 + thick * max(1, len(rows)), barmode="overlay", bargap=0.14)
    for failed in (False, True):
        chosen = [(row, task) for row, task in bars if task.failed is failed]
        if not chosen:
            continue
        crossed = {
            "color": RED,
            "pattern": {"shape": "x", "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.3)", "size": 7},
        }
        fig.add_bar(
            orientation="h",
            y=[row for row, _ in chosen],
            base=[moment(task.start - run.begin) for _, task in chosen],
            x=[max(_ms(task.seconds), 1) for _, task in chosen],
            text=[text(short(task)) for _, task in chosen],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": "#fff", "size": 12},
            marker={
                "line": {"width": 1, "color": "rgba(128,128,128,0.6)"},
                **(crossed if failed else {"color": [colour(task) for _, task in chosen]}),
            },
            customdata=[
                [text(task.label), _ranks(task), f"{task.seconds:.1f} s, {'failed' if failed else 'done'}"]
                for _, task in chosen
            ],
            hovertemplate="%{customdata[0]}<br>%{y}, %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        )
    _imports(fig, run, names)
    for pilot in run.pilots:
        if "starting" not in pilot or "active" not in pilot:
            continue
        span = pilot["starting"] - run.begin, pilot["active"] - run.begin
        fig.add_vrect(x0=moment(span[0]), x1=moment(span[1]), fillcolor=OTHER, opacity=0.16, line_width=0)
        fig.add_annotation(
            x=moment(sum(span) / 2), y=1, yref="paper", yanchor="bottom", text="pilot start-up", showarrow=False
        )
    fig.update_layout(uniformtext={"mode": "hide", "minsize": 10})
    time_axis(fig, run)
    fig.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False, fixedrange=True, ticksuffix=" ")
    return fig


def _imports(fig: go.Figure, run: Run, names: dict[tuple[str, int], str]) -> None:
    """A bar for each core on which a worker imported for a while, so that it does not look idle."""
    came = [worker for worker in run.workers if worker.time - worker.began >= SHOWN]
    told = [(place, worker) for worker in came for place in zip(worker.nodes, worker.cores, strict=False)]
    told = [(names[place], worker) for place, worker in told if place in names]
    if told:
        fig.add_bar(
            orientation="h",
            y=[row for row, _ in told],
            base=[moment(worker.began - run.begin) for _, worker in told],
            x=[_ms(worker.time - worker.began) for _, worker in told],
            text=["import"] * len(told),
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": "#fff", "size": 12},
            marker={"color": PURPLE, "line": {"width": 1, "color": "rgba(128,128,128,0.6)"},
                    "pattern": {"shape": "/", "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.25)", "size": 7}},
            customdata=[[text(", ".join(each.warm)), f"{each.time - each.began:.1f} s"] for _, each in told],
            hovertemplate="imports of %{customdata[0]}<br>%{y}<br>%{customdata[1]}<extra></extra>",
        )  # fmt: skip


def time_axis(fig: go.Figure, run: Run) -> None:
    """Seconds from the start of the workflow to its end."""
    fig.update_xaxes(
        type="date",
        range=[moment(0), moment(max(run.end - run.begin, 1))],
        tickformatstops=[
            {"dtickrange": [None, 1000 * 3600 - 1], "value": "%-M:%S"},
            {"dtickrange": [1000 * 3600, None], "value": "%-H:%M h"},
        ],
        title_text="minutes : seconds since the start",
        fixedrange=True,
    )


def _natural(place: tuple[str, int]) -> tuple[list[str], int]:
    """Orders nodes as people count them: node2 before node10."""
    return [part.zfill(12) if part.isdigit() else part for part in re.split(r"(\d+)", place[0])], place[1]


def moment(seconds: float) -> str:
    """So many seconds after the start, as the axis of times takes them."""
    # As text: on an axis of times Plotly takes a number below 10,000 for a year, not for milliseconds.
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _ms(seconds: float) -> float:
    return round(seconds * 1000)


def _ranks(task: Execution) -> str:
    return "1 rank" if task.ranks == 1 else f"{task.ranks} ranks"
