"""Numbers, times and counts as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

NONE = "–"


def number(value: float | None, digits: int = 3) -> str:
    """`value` to so many significant digits, thousands separated; the minus is a true one."""
    if value is None or value != value:
        return NONE
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:#.{digits}g}".rstrip(".").replace("-", "−")


def fixed(value: float | None, places: int = 2) -> str:
    """`value` with so many decimals, for columns of skill."""
    return NONE if value is None else f"{value:.{places}f}".replace("-", "−")


def duration(seconds: float | None) -> str:
    """Seconds as `0.4 s`, `41 s`, `5 min 12 s` or `2 h 03 min`."""
    if seconds is None:
        return NONE
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(time: float) -> str:
    """Seconds since 1970 as a date and time, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%d %b %Y, %H:%M UTC").lstrip("0")


def percent(part: float) -> str:
    """A fraction as whole per cent."""
    return f"{part * 100:.0f} %"


def count(n: int, one: str, many: str | None = None) -> str:
    """`1 task`, `2 tasks`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listing(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
