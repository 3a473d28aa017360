"""Figures as SVG, without a library: what all of them have, and bars with their spread and what was wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

WIDTH = 800
INK, OURS, OTHERS, WANTED = "#444", "#1f6f8b", "#b9b9b9", "#d1495b"
LEFT, RIGHT, TOP, ROW = 310, 90, 36, 24  # of bars: where they begin and end, and the height of each


def svg(title: str, parts: Iterable[str], height: int) -> str:
    """The whole of it; `title` is shown, and what a screen reader says."""
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
                ' font-size="12">',
                f"<title>{safe(title)}</title>",
                f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
                *parts,
                "</svg>",
            ]
        )
        + "\n"
    )


def safe(text: str) -> str:
    """A text as it may stand in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(frozen=True)
class Bar:
    """A figure; `low` and `high` are its spread, `ours` gives it its colour, `wanted` is its own target."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    ours: bool = True
    wanted: float | None = None


def bars(title: str, rows: Sequence[Bar], unit: str = "") -> str:
    """A bar for each row, with a line for its spread, and a mark at what was wanted; none where it is below zero."""
    most = max([*(max(row.value, row.high or 0, row.wanted or 0) for row in rows), 1e-9])
    wide = WIDTH - LEFT - RIGHT

    def at(value: float) -> float:
        return LEFT + wide * max(value, 0) / most

    parts = [f'<text x="10" y="22" font-size="14">{safe(title)}</text>']
    for number, row in enumerate(rows):
        top = TOP + ROW * number
        middle = top + ROW / 2
        colour = OURS if row.ours else OTHERS
        parts += [
            f'<text x="{LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end">{safe(row.label)}</text>',
            f'<rect x="{LEFT}" y="{top + 4}" width="{at(row.value) - LEFT:.1f}" height="{ROW - 8}" fill="{colour}"/>',
        ]
        if row.low is not None and row.high is not None:
            parts.append(
                f'<path d="M{at(row.low):.1f} {middle}H{at(row.high):.1f}M{at(row.low):.1f} {middle - 4}v8'
                f'M{at(row.high):.1f} {middle - 4}v8" stroke="{INK}" fill="none"/>'
            )
        if row.wanted is not None:
            x = at(row.wanted)
            parts.append(
                f'<path d="M{x:.1f} {top + 1}v{ROW - 2}" stroke="{WANTED}" stroke-width="2"'
                f"><title>wanted: {written(row.wanted)}{safe(unit)}</title></path>"
            )
        end = at(max(row.value, row.high or 0, row.wanted or 0))
        parts.append(f'<text x="{end + 6:.1f}" y="{middle + 4:.1f}">{written(row.value)}{safe(unit)}</text>')
    height = TOP + ROW * len(rows) + 12
    if any(row.wanted is not None for row in rows):
        height += 14
        parts.append(f'<text x="{LEFT}" y="{height - 8}" fill="{WANTED}">red: what was wanted</text>')
    return svg(title, parts, height)


def written(value: float) -> str:
    """A figure with three digits or more: 0.93, 12.3, 2,089."""
    size = abs(value)
    return rounded(value, 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2)


def rounded(value: float, places: int) -> str:
    """With so many decimals; a half goes up, as in the figures of all pages."""
    return f"{Decimal(str(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):,}"
