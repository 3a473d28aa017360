"""An image that a store holds, as its record says."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from deeprc.images.catalog import Stage
from deeprc.images.leftovers import IMAGE

BUILT = "built"  # the source of an image that was built here
JUDGED = ("path", "shared", "foreign", "doubt")  # what a record itself says nothing of


class Held(BaseModel):
    """An image that the store holds, and where it came from."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # ignore: a newer version's records are readable

    name: str
    architecture: str
    digest: str
    path: Path
    size: int
    mtime_ns: int = 0
    created: float
    source: str  # BUILT, or the address that it was pulled from
    content: str | None = None  # the hash of what went into a build
    stages: list[Stage] = []
    signed_by: str | None = None
    unverified: bool = False  # nobody but a bundle said what it must be
    shared: bool = False
    foreign: bool = False  # so its file is read once by everybody who uses it (see `trust`)
    doubt: str | None = None  # why nothing but a digest that the catalog pins is believed of it

    def told(self, pinned: str | None) -> str | None:
        """What is to be said where nobody said what it must be; `pinned` is the catalog's digest."""
        return "NOT VERIFIED" if self.unverified and self.digest != pinned else None


def named(path: str) -> tuple[str, str] | None:
    """The image's name and the beginning of its digest (`sha256:…`), as `Store.path` puts them into a file's name."""
    found = IMAGE.fullmatch(Path(path).name)
    return (found["name"], f"sha256:{found['digest']}…") if found else None
