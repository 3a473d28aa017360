"""What jobs made, as a crate tells it, and whether another run has made the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from deeprc.core.files import sha256
from deeprc.reporting.crate.opened import Opened


@dataclass(frozen=True)
class Product:
    """A file or folder that a job made.

    Attributes
    ----------
    crate
        Which tells of it.
    name
        Its place in the results.
    sha256
        Of a file.
    own
        Whether the rule is not of Deep RC's workflow, but of one around it.
    """

    crate: Opened
    name: str
    sha256: str | None
    own: bool

    def same(self, results: Path) -> bool | None:
        """Whether it lies in these results with the same bytes; None for a folder that the crate does not hold."""
        place = results / self.name
        if self.sha256:
            return place.is_file() and sha256(place) == self.sha256
        held = [each.filename for each in self.crate.files() if each.filename.startswith(f"{self.name}/")]
        if not held:
            return None
        there = [path.relative_to(results).as_posix() for path in place.rglob("*") if path.is_file()]
        return sorted(held) == sorted(there) and all(
            (results / name).read_bytes() == self.crate.read(name) for name in held
        )


def products(crate: Opened) -> list[Product]:
    """All that its jobs made, each once."""
    found = {}
    for rule, each in crate.made():
        name = str(each.get("name") or unquote(each["@id"])).rstrip("/")
        found[name] = Product(crate, name, each.get("sha256"), "isPartOf" in rule)
    return list(found.values())
