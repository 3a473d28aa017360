"""Cores and memory in use over the time of a run."""

from __future__ import annotations

from itertools import accumulate

import plotly.graph_objects as go

from deeprc.reporting import words
from deeprc.reporting.events import Run
from deeprc.reporting.figures.timeline import moment, time_axis
from deeprc.reporting.theme import BLUE, ORANGE, figure, value_axis


def steps(run: Run) -> list[tuple[float, int, float]]:
    """From when on, in seconds since the run's begin, how many cores ran tasks, and the most MB that these may have had
    together: the sum of each one's own most.
    """
    changes: dict[float, tuple[int, float]] = {0.0: (0, 0.0)}
    for task in run.tasks:
        for time, sign in ((task.start, 1), (task.stop, -1)):
            cores, memory = changes.get(at := time - run.begin, (0, 0.0))
            changes[at] = cores + sign * len(task.cores), memory + sign * (task.peak_mb or 0.0)
    times = sorted(changes)
    both = accumulate((changes[time] for time in times), lambda a, b: (a[0] + b[0], a[1] + b[1]))
    return [(time, cores, max(0.0, round(memory, 1))) for time, (cores, memory) in zip(times, both, strict=True)]


def usage(run: Run) -> go.Figure:
    """Two lines of steps, that of the memory only where it is known of a task."""
    found = [*steps(run), (run.end - run.begin, 0, 0.0)]
    fig = figure(height=220, hovermode="x unified")
    x = [moment(time) for time, _, _ in found]
    common, line = {"x": x, "mode": "lines"}, {"width": 1.6, "shape": "hv"}
    fig.add_scatter(
        **common, name="cores", y=[cores for _, cores, _ in found], hovertemplate="%{y} cores<extra></extra>",
        line=line | {"color": BLUE}, fill="tozeroy", fillcolor=f"{BLUE}33",
    )  # fmt: skip
    if any(memory for *_, memory in found):
        fig.add_scatter(
            **common, name="memory", y=[memory / 1000 for *_, memory in found], yaxis="y2",
            hovertemplate="%{y:.3g} GB<extra></extra>", line=line | {"color": ORANGE, "dash": "dot"},
        )  # fmt: skip
        right = {"overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False, "zeroline": False}
        fig.update_layout(
            yaxis2=right
            | {"fixedrange": True, "automargin": True, "ticksuffix": " GB", "nticks": 4, "tickmode": "auto"}
        )
    value_axis(fig, "cores in use")
    fig.update_layout(yaxis_dtick=max(1, max(cores for _, cores, _ in found) // 4))
    time_axis(fig, run)
    return fig


def in_words(run: Run) -> str:
    """The chart, for who does not see it."""
    found = steps(run)
    most = max(cores for _, cores, _ in found)
    memory = max(memory for *_, memory in found)
    total = run.end - run.begin
    mean = sum(len(task.cores) * task.seconds for task in run.tasks) / total if total > 0 else 0.0
    told = f"Cores in use over time: at most {words.count(most, 'core')}, {words.number(mean, 2)} on average"
    return f"{told}; memory of the tasks at most {words.number(memory / 1000, 2)} GB." if memory else f"{told}."
