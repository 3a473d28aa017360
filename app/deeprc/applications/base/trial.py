"""Options of an application and the folder of what is made with them: one of a pipeline, or many, of a sweep."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from deeprc.applications.base.application import CHECK, PREPARED, Application
from deeprc.core.fingerprint import Record


@dataclass(frozen=True)
class Trial:
    """One pipeline from data to metrics.

    Attributes
    ----------
    folder
        Of its metrics, and of all else that is its own.
    prepared
        The folder that holds its check and its prepared data, which other cases may share.
    values
        Of a trial of a sweep: the options that it tries, by their keys.
    label
        What it is called among the trials; empty for a pipeline that is alone.
    """

    application: Application
    options: BaseModel
    folder: Path
    prepared: Path
    values: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    def products(self, record: Record) -> dict[Path, Record | None]:
        """What it leaves, with the record of what each was made from; `record` is that of its metrics."""
        found = self.application.products(self.folder, record)
        shared = {self.folder / name: self.prepared / name for name in (CHECK, PREPARED)}
        return {shared.get(path, path): of for path, of in found.items()}

    @property
    def own(self) -> list[Path]:
        """What it is to leave beside its check and its prepared data."""
        made = self.products({"data": {}, **self.application.told(self.options)})
        return [path for path in made if path not in (self.prepared / CHECK, self.prepared / PREPARED)]
