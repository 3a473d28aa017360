"""The files that a run read: where they are now, by what `run.json` says of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from deeprc.core.files import sha256


@dataclass(frozen=True)
class Input:
    """A file that was read.

    Attributes
    ----------
    pipeline, name, sha256
        As `run.json` has them.
    path
        Where a file of that very content is; None where none was found.
    """

    pipeline: str
    name: str
    sha256: str
    path: Path | None

    @property
    def size(self) -> int | None:
        """Its bytes."""
        return self.path.stat().st_size if self.path else None

    def id(self, folder: Path) -> str:
        """Its path in the crate; of one that lies elsewhere its content's name (RFC 6920), which tells no folder."""
        if self.path and self.path.resolve().is_relative_to(folder.resolve()):
            return self.path.resolve().relative_to(folder.resolve()).as_posix()
        return named(self.sha256)


def named(sum_: str) -> str:
    """The name of a content by its SHA-256 (RFC 6920)."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(sum_)).decode().rstrip("=")


def inputs(about: dict, folder: Path) -> list[Input]:
    """The files named in `data` of a `run.json`, each once; sums that are of no one file are left out."""
    found: dict[str, Input] = {}
    for row in about["data"]:
        name, sum_ = row["file"], row["sha256"]
        if name and sum_ not in found:
            places = _places(name, (about["config"].get(row["pipeline"]) or {}).get("path"), folder)
            path = next((place for place in places if place.is_file() and sha256(place) == sum_), None)
            found[sum_] = Input(row["pipeline"], name, sum_, path)
    return list(found.values())


def _places(name: str, given: object, folder: Path) -> list[Path]:
    """Where a file of that name may be."""
    within = [Path(each).expanduser() for each in (given if isinstance(given, list) else [given]) if each]
    beside = [place for each in within for place in (each, each / name, each.parent / name)]
    return [Path(name).expanduser(), folder / "data" / Path(name).name, *beside]
