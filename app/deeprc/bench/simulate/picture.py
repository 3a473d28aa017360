"""The timeline of a simulation as a picture: how much of the cores and accelerators runs jobs."""

from __future__ import annotations

from collections.abc import Sequence

from deeprc.bench import chart
from deeprc.bench.chart import WIDTH, safe

HEIGHT, LEFT, TOP, BOTTOM = 300, 60, 40, 40
CORES, GPUS = "#1f6f8b", "#d1495b"


def svg(figures: dict) -> str:
    """An SVG that says in its title that nothing of it was measured."""
    timeline, cores, gpus = figures["timeline"], figures["cores"], figures["gpus"]
    end = max(figures["makespan_s"], 1e-9)
    wide, high = WIDTH - LEFT - 20, HEIGHT - TOP - BOTTOM

    def line(of: int, whole: int, colour: str) -> str:
        points = " ".join(
            f"{LEFT + wide * min(1.0, row[0] / end):.1f},{TOP + high * (1 - row[of] / whole):.1f}" for row in timeline
        )
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'

    title = (
        f"Simulated, not measured: {figures['site']}, {figures['nodes']:,} nodes, {figures['jobs']:,} jobs"
        f" ({figures['workflow']})"
    )
    parts = [
        f'<text x="{LEFT}" y="20" font-size="14">{safe(title)}</text>',
        *_ticks(end, wide, high),
        line(1, cores, CORES),
        f'<text x="{WIDTH - 20}" y="36" text-anchor="end" fill="{CORES}">cores that run jobs:'
        f" {figures['utilisation']:.1%} of the makespan</text>",
    ]
    if gpus:
        parts.append(line(2, gpus, GPUS))
        parts.append(
            f'<text x="{WIDTH - 20}" y="{HEIGHT - 6}" text-anchor="end" fill="{GPUS}">accelerators:'
            f" {figures['gpu_utilisation']:.1%}</text>"
        )
    return chart.svg(title, parts, HEIGHT)


def _ticks(end: float, wide: int, high: int) -> Sequence[str]:
    rows = []
    for percent in (0, 25, 50, 75, 100):
        y = TOP + high * (1 - percent / 100)
        rows.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{LEFT + wide}" y2="{y:.1f}" stroke="#ddd"/>')
        rows.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for part in range(5):
        x = LEFT + wide * part / 4
        rows.append(
            f'<text x="{x:.1f}" y="{TOP + high + 18}" text-anchor="middle">{end * part / 4 / 3600:.2f} h</text>'
        )
    return rows
