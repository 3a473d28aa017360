"""What a check has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

Status = Literal["ok", "warning", "failed", "not run"]


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes
    ----------
    text
        What was found, or why it could not be looked for.
    fix
        What to do about it.
    figures
        Measurements, a row each.
    launch_line
        How the ranks were started.
    """

    check: str
    subject: str
    status: Status
    text: str
    fix: str | None = None
    figures: list[dict] = field(default_factory=list)
    launch_line: str | None = None

    def record(self) -> dict:
        """As JSON has it."""
        return asdict(self)
