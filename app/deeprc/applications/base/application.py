"""What an application is to the workflow, the report and the images: one object, which its package offers.

It is read by Snakemake at every start: a module that defines one imports nothing heavy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from deeprc.core.contents import named
from deeprc.core.fingerprint import Record

if TYPE_CHECKING:  # the report's libraries are heavy
    from deeprc.reporting.events import Task
    from deeprc.reporting.section import Results, Section

CHECK, METRICS = "check.json", "metrics.json"


class Report(Protocol):
    """How the report tells of an application: a module or an object."""

    def read(self, folder: Path) -> Results | None:
        """What the pipeline left in `folder`; None where there is nothing to tell."""

    def section(self, found: Any, tasks: list[Task]) -> Section:
        """The section on what `read` gave; `tasks` are the latest executions of all stages."""


class Application(ABC):
    """A pipeline from data to metrics, and how the report tells of it.

    Its stages are modules of its package, `python -m <package>.<stage>`; `check`, if there is one, is run before any
    job, and takes `--config JSON --out FILE` and what `given` says.

    Attributes
    ----------
    name
        The key of its options, the word in `pipelines`, and the folder of its results.
    configuration
        The model of its options; all have defaults.
    rules
        Its file of Snakemake rules; `rules/<name>.smk` of the workflow, if there is none. It adds to TARGETS.
    extras
        The extras of its distribution that bring what its stages import, with a module of each for a first try.
    checked
        Whether it has a stage `check`.
    """

    name: str
    configuration: type[BaseModel]
    rules: Path | None = None
    extras: dict[str, str] = {}  # noqa: RUF012  (one for all: it is not changed)
    checked: bool = True

    @property
    def package(self) -> str:
        """The package that its stages are in: that of the module in which its class stands."""
        return type(self).__module__.rpartition(".")[0]

    @abstractmethod
    def own(self, options: BaseModel) -> list[str]:
        """The files and folders of the user's own data (key `path`); empty where public data are fetched."""

    def beside(self, options: BaseModel) -> dict[str, str]:
        """The files that options name beside these, by key."""
        return {}

    def public(self, options: BaseModel) -> list[str]:
        """The public data sets (`deeprc.core.datasets`) that are fetched where the user has none of their own."""
        return []

    def subject(self, options: BaseModel) -> str:
        """What the data are called in a sentence."""
        return f"{self.name} data"

    def files(self, options: BaseModel, paths: list[str]) -> dict[str, Path]:
        """The files that are read of the data at `paths`, by name."""
        return named(paths)

    def given(self, paths: list[str]) -> list[str]:
        """How the stages check and prepare are told where the data are."""
        return ["--data", *paths]

    @abstractmethod
    def preparing(self, options: BaseModel) -> dict:
        """The options that the prepared data depend on: the `--config` of check and prepare."""

    @abstractmethod
    def training(self, options: BaseModel) -> dict:
        """The options that what is trained depends on, beside those."""

    @abstractmethod
    def products(self, folder: Path, record: Record) -> dict[Path, Record | None]:
        """What the pipeline leaves in `folder`, with the record of what each was made from.

        `record` is that of the metrics; CHECK and METRICS are among them.
        """

    def used(self, training: dict) -> dict:
        """What `training` told, as the configuration has it."""
        return training

    def report(self) -> Report:
        """Its section of the report; a plain one with the figures of its metrics, if it has none of its own."""
        from deeprc.applications.base.plain import Plain

        return Plain(self.name)
