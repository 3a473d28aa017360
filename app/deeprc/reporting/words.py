"""Numbers, times and counts as a person reads them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

NONE = "–"


def known(value: float | None) -> bool:
    """Whether there is a number to show."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 3) -> str:
    """`value` to so many significant digits, thousands separated; the minus is a true one."""
    if not known(value):
        return NONE
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:#.{digits}g}".rstrip(".").replace("-", "−")


def fixed(value: float | None, places: int = 2) -> str:
    """`value` with so many decimals, for columns of skill."""
    return f"{value:.{places}f}".replace("-", "−") if known(value) else NONE


def signed(value: float | None, digits: int = 3) -> str:
    """A change, with its sign."""
    return f"+{number(value, digits)}" if known(value) and value > 0 else number(value, digits)


def duration(seconds: float | None) -> str:
    """Seconds as `0.4 s`, `41 s`, `5 min 12 s` or `2 h 03 min`."""
    if not known(seconds):
        return NONE
    if seconds < 9.95:  # below zero where two machines' clocks differ
        return f"{seconds:.1f} s".replace("-", "−")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(time: float) -> str:
    """Seconds since 1970 as a date and time, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")


def percent(part: float | None) -> str:
    """A fraction as whole per cent; what is neither nothing nor all of it does not look so."""
    if not known(part):
        return NONE
    if 0 < part < 0.005:
        return "under 1 %"
    if 0.995 <= part < 1:
        return "over 99 %"
    return f"{part * 100:.0f} %".replace("-", "−")


def count(n: int, one: str, many: str | None = None) -> str:
    """`1 task`, `2 tasks`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def few(names: list[str], most: int = 5) -> str:
    """At most so many names, and how many others there are."""
    return listing(names) if len(names) <= most else listing([*names[:most], f"{len(names) - most:,} more"])


def listing(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
