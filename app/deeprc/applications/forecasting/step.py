"""The step of a series: the time from one row to the next, in words, and the season that comes from it.

Read with the configuration, at every start of Snakemake: nothing heavy is imported here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

SECOND = 10**6
MINUTE, HOUR, DAY, WEEK = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND, 7 * 86_400 * SECOND
MOMENTS = {"week": WEEK, "day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND}
MONTHS = {"year": 12, "quarter": 3, "month": 1}
WORD = re.compile(r"(\d*)\s*([a-z]+)")
UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("us", SECOND)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), ("us", MINUTE)),
    **dict.fromkeys(("h", "hour", "hours"), ("us", HOUR)),
    **dict.fromkeys(("d", "day", "days"), ("us", DAY)),
    **dict.fromkeys(("w", "week", "weeks"), ("us", WEEK)),
    **dict.fromkeys(("mo", "month", "months"), ("months", 1)),
    **dict.fromkeys(("q", "quarter", "quarters"), ("months", 3)),
    **dict.fromkeys(("y", "year", "years"), ("months", 12)),
    "ms": ("us", 1000),
}


@dataclass(frozen=True)
class TimeStep:
    """Either so many microseconds, or so many months of the calendar, which differ in length.

    Attributes
    ----------
    us, months
        One of the two is 0.
    """

    us: int = 0
    months: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The step that `15m`, `1h`, `d`, `2 weeks`, `1mo`, `1q` or `1y` mean.

        Raises
        ------
        ValueError
            For anything else; in lower case only, since an `M` is a minute to some and a month to others.
        """
        match = WORD.fullmatch(text.strip())
        if match is None or match[2] not in UNITS or match[1].strip("0") == "" != match[1]:
            raise ValueError(f"{text!r} is no step: write it as 15m, 1h, 1d, 1w, 1mo (a month), 1q or 1y")
        kind, size = UNITS[match[2]]
        return cls(**{kind: int(match[1] or 1) * size})

    @property
    def delta(self) -> timedelta:
        """The step as a duration; of months, their mean length."""
        return timedelta(microseconds=self.us) if self.us else self.months * timedelta(days=365.2425 / 12)

    def season(self) -> int:
        """How many steps make the usual season: 15 minutes 96, hours 24, days 7, weeks 52, months 12; 1 if none does.

        The season is an hour for steps below a minute, a day below a day, a week where no day is a multiple of the step
        or for days, and a year for weeks and months.
        """
        if self.months:
            return 12 // self.months if 12 % self.months == 0 else 1
        if self.us % WEEK == 0:
            return 52 * WEEK // self.us if 52 % (self.us // WEEK) == 0 else 1
        cycles = (DAY, WEEK) if self.us >= MINUTE else (HOUR, DAY, WEEK)
        return next((cycle // self.us for cycle in cycles if cycle > self.us and cycle % self.us == 0), 1)

    def span(self, count: int = 1) -> str:
        """How long `count` steps are, in the largest unit of which they are a whole number: `6 hours`, `18 months`.

        Days and weeks only for steps of days and more: a day ahead is 24 hours to whoever has hours.
        """
        if self.months:
            name, size = next((name, size) for name, size in MONTHS.items() if self.months % size == 0)
            name, size = ("month", 1) if name == "quarter" and self.months != size else (name, size)
            return _count(self.months * count // size, name)
        whole = self.us * count
        for name, size in MOMENTS.items():
            if whole % size == 0 and (self.us >= size or size < DAY):
                return _count(whole // size, name)
        return f"{whole / SECOND:g} seconds"

    def ahead(self, count: int) -> str:
        """`count` steps as a person says them: `24 hours`, but `24 steps (6 hours)` where a step is 15 minutes."""
        if self.unit:
            return _count(count, self.unit)
        return f"{_count(count, 'step')} ({self.span(count)})"

    @property
    def unit(self) -> str:
        """`hour`, `day`, `month` and so on where the step is exactly one; else nothing."""
        named = {size: name for name, size in (MONTHS if self.months else MOMENTS).items()}
        return named.get(self.months or self.us, "")

    def __str__(self) -> str:
        return self.span()


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
