"""The project's locks (locks/*.txt): the packages that the tests ran with, and the hashes of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deeprc.core.errors import ConfigError


@dataclass(frozen=True)
class Locked:
    """A package of a lock.

    Attributes
    ----------
    marker
        Where it is needed (PEP 508); empty for everywhere.
    hashes
        `sha256:…` of every file of that version.
    parents
        The packages that ask for it.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    parents: frozenset[str]

    def __str__(self) -> str:
        """A line for `pip --require-hashes`, without the marker."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={value}" for value in self.hashes)])


def read(*paths: Path) -> dict[str, Locked]:
    """The packages of some locks, by name; of one that is in several, the last counts."""
    found = {}
    for path in paths:
        for entry in re.split(r"^(?=[^\s#])", path.read_text(encoding="utf-8"), flags=re.M):
            if head := re.match(r"([\w.-]+)==([^\s;]+)(?: *; *([^\\\n]+))?", entry):
                parents = re.findall(r"^ +#(?: via| {2}) ([\w.-]+)", entry, flags=re.M)
                hashes = re.findall(r"--hash=(\S+)", entry)
                package = Locked(head[1], head[2], (head[3] or "").strip(), tuple(hashes), frozenset(parents))
                found[package.name] = package
    return found


def needed(locked: Mapping[str, Locked], requirements: Iterable[str], environment: Mapping[str, str]) -> list[Locked]:
    """What `requirements` need, and what that needs, sorted by name.

    Parameters
    ----------
    environment
        What markers are asked for: those of PEP 508 that differ from this Python's and this machine's.

    Raises
    ------
    ConfigError
        Where a requirement is not locked, or with a version that does not fit it.
    """
    wanted = set()
    for requirement in map(Requirement, requirements):
        if requirement.marker and not requirement.marker.evaluate(dict(environment)):
            continue
        wanted.add(name := canonicalize_name(requirement.name))
        if name not in locked or locked[name].version not in requirement.specifier:
            found = locked[name].version if name in locked else None
            raise ConfigError(f"the lock does not fit {requirement}", found=found, fix="make lock")
    while more := {name for name, package in locked.items() if package.parents & wanted} - wanted:
        wanted |= more
    packages = [locked[name] for name in sorted(wanted)]
    return [each for each in packages if not each.marker or Marker(each.marker).evaluate(dict(environment))]
