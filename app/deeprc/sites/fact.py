"""What every fact of a site file has: where it was read, when, and how far to trust it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Whole = Annotated[int, Field(strict=True)]  # YAML's own whole number: true and "4" are none
Count = Annotated[Whole, Field(gt=0)]
Text = Annotated[str, Field(pattern=r"\S")]  # that says something
Release = Annotated[str, Field(pattern=r"^\d+([.-]?\w+)*$")]  # begins with a number, since versions are compared
Switch = Annotated[bool, Field(strict=True)]  # true or false: 1 and "yes" are neither
Mark = Literal["seen", "V", "V2", "U", "!"]
MARKS = {
    "seen": "seen on the machine by `deeprc doctor --confirm`",
    "V": "read in the facility's own documents",
    "V2": "read in another project's configuration for the site",
    "U": "unverified",
    "!": "the sources disagree",
}


class Strict(BaseModel):
    """A part of a site file. Unknown keys are refused, so that a misspelt fact cannot pass for an absent one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(Strict):
    """A part that was read somewhere.

    Attributes
    ----------
    mark
        seen: on the machine, by `deeprc doctor --confirm`; V: read in the facility's own documents; V2: in another
        project's configuration for the site; U: unverified; !: the sources disagree.
    source
        Where: a document and its lines, a repository, a page.
    date
        When that document was written or read.
    note
        What a user should know of it; where sources disagree, what each of them says and why this was decided.
    unverified
        The keys of this part that the mark does not cover, since nobody has read them anywhere.
    """

    mark: Mark | None = None
    source: Text | None = None
    date: datetime.date | None = None
    note: Text | None = None
    unverified: list[str] = Field(default_factory=list)

    @property
    def doubts(self) -> list[str]:
        """What is not certain of it, each as a line of text; empty where all of it was verified."""
        lines = []
        if self.mark in ("U", "!"):
            lines.append(f"[{self.mark}] {self.note or MARKS[self.mark]}")
        lines += [f"[U] {key} = {_words(getattr(self, key, None))}" for key in self.unverified]
        return lines


def _words(value: object) -> str:
    """A value of a site file for people."""
    if isinstance(value, Strict):
        value = value.model_dump(exclude_defaults=True)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_words(inner)}" for key, inner in value.items())
    return " ".join(map(_words, value)) if isinstance(value, list) else str(value)


def facts_in(part: Strict, path: str = "") -> Iterator[tuple[str, Fact]]:
    """All facts in `part`, with their places in the file: `mpi.openmpi`, `partitions.clx`, `settings.<description>`."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        members = value if isinstance(value, list) else [value]
        for number, member in enumerate(members):
            if not isinstance(member, Strict):
                continue
            names = (getattr(member, key, None) for key in ("name", "implementation", "description"))
            label = next(filter(None, names), str(number))
            place = f"{path}{name}.{label}" if isinstance(value, list) else f"{path}{name}"
            if isinstance(member, Fact):
                yield place, member
            yield from facts_in(member, f"{place}.")
