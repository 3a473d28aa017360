"""What docs/benchmarks.md knows of a benchmark: what it is, and the logs and commands behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from section import Section


@dataclass(frozen=True)
class Log:
    """A file in docs/figures, and the commands that print it; without one it is kept as it is."""

    file: str
    commands: Sequence[str] = ()
    seconds: float = 0  # that these take on two idle cores
    quick: bool = False  # whether `make bench` measures it unasked
    several: bool = False  # a list, of what each command prints


@dataclass(frozen=True)
class Benchmark:
    """One of them; `more` leads to the page that explains it, if any does."""

    name: str
    title: str
    what: str
    more: str
    show: Callable[[dict[str, Any]], Section]
    logs: Sequence[Log]

    @property
    def commands(self) -> list[str]:
        return [command for log in self.logs for command in log.commands]
