"""What would run, and why: the table that `-n` ends in."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 120


@dataclass(frozen=True)
class Row:
    """A job that would run: its stage (the rule), which one of several (a model), and why; `why` is empty where it
    only follows from what runs before it."""

    stage: str
    which: str
    why: str


def table(rows: Iterable[Row]) -> str:
    """The table: a line for each stage and reason, in the order in which they run."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.stage, row.why), []).append(row.which)
    lines = [("stage", "jobs", "why")]
    for (stage, why), which in groups.items():
        names = sorted(filter(None, which))
        names = ("; " if any("," in name for name in names) else ", ").join(names)
        lines.append((stage, str(len(which)), ": ".join(filter(None, [why or "follows from the above", names]))))
    lines.append(("in all", str(sum(map(len, groups.values()))), ""))
    wide = max(len(stage) for stage, _, _ in lines)
    count = max(len(jobs) for _, jobs, _ in lines)
    return "\n".join(
        line
        for stage, jobs, why in lines
        for line in textwrap.wrap(
            f"{stage:<{wide}}  {jobs:>{count}}  {why}".rstrip(),
            WIDTH,
            subsequent_indent=" " * (wide + count + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def joined(reasons: Sequence[str], most: int = 3) -> str:
    """The first reasons, and how many more there are."""
    more = f" and {len(reasons) - most} more" if len(reasons) > most else ""
    return "; ".join(reasons[:most]) + more
