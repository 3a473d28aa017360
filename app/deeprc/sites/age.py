"""How old facts are, and which of them should be read again: machines change, but what was read about them does not."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deeprc.sites.fact import Fact
from deeprc.sites.model import Site

OLD = 18  # months; a machine has a new operating system, MPI and driver about once a year
RANK = {"future": 0, "old": 1, "undated": 2, "!": 3, "U": 4}


@dataclass(frozen=True)
class Doubtful:
    """A fact, or a key of one, that should be read again.

    Attributes
    ----------
    reasons
        Some of `future` (its date is yet to come), `old`, `undated`, `!` (sources disagree), `U` (nobody has read it).
    months
        How old it is; None where it has no date.
    """

    site: str
    place: str
    reasons: tuple[str, ...]
    date: datetime.date | None
    months: int | None
    source: str | None
    note: str | None


def months(date: datetime.date, today: datetime.date) -> int:
    """Whole months from `date` to `today`."""
    return (today.year - date.year) * 12 + today.month - date.month - (today.day < date.day)


def future(fact: Fact, today: datetime.date) -> bool:
    """Whether its date is yet to come; one day is allowed, since it may be tomorrow already where it was written."""
    return fact.date is not None and fact.date > today + datetime.timedelta(days=1)


def oldest(facts: Iterable[tuple[str, Fact]]) -> tuple[str, Fact] | None:
    """The fact with the earliest date, with its place."""
    dated = [(place, fact) for place, fact in facts if fact.date]
    return min(dated, key=lambda pair: pair[1].date) if dated else None


def stated(facts: Iterable[tuple[str, Fact]]) -> list[tuple[str, Fact]]:
    """The facts that the file states: parts that it leaves out have nothing that could be old."""
    return [(place, fact) for place, fact in facts if fact.model_fields_set]


def doubtful(sites: Sequence[Site], today: datetime.date, older_than: int = OLD) -> list[Doubtful]:
    """What should be read again: dates yet to come, the oldest facts, then what has no date, then `!` and `U`."""
    found = [each for site in sites for each in _of(site, today, older_than)]
    return sorted(found, key=lambda each: (RANK[each.reasons[0]], each.date or today, each.site, each.place))


def _of(site: Site, today: datetime.date, older_than: int) -> Iterator[Doubtful]:
    for place, fact in stated(site.facts()):
        age = months(fact.date, today) if fact.date else None
        reasons = ["undated"] if age is None else ["old"] if age >= older_than else []
        if future(fact, today):
            reasons = ["future"]
        if fact.mark in ("!", "U"):
            # A fact that nobody has read has no source, so age does not matter.
            reasons = [fact.mark] if fact.mark == "U" and age is None else [*reasons, fact.mark]
        about = (fact.date, age, fact.source)
        if reasons:
            yield Doubtful(site.name, place, tuple(reasons), *about, fact.note)
        for key in fact.unverified:
            yield Doubtful(site.name, f"{place}.{key}", ("U",), *about, None)
