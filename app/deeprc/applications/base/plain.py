"""The section of an application that brings none of its own: the figures of its metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deeprc.applications.base.results import read_results
from deeprc.reporting.content import facts
from deeprc.reporting.events import Execution
from deeprc.reporting.section import Results, Section


@dataclass(frozen=True)
class Plain:
    """That of the application `name`."""

    name: str

    def read(self, folder: Path) -> Results | None:
        """Metrics and check; None where there are no metrics."""
        return read_results(folder)

    def section(self, found: Results, tasks: list[Execution]) -> Section:
        """The section."""
        values = {"figures": facts(found.metrics), "check": facts(found.check)}
        title = self.name.replace("_", " ").capitalize()
        return Section(self.name, title, "deeprc.applications.base", values, template="plain.html.j2")
