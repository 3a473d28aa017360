"""How old images are, and what Debian has mended since: asked of the image's own apt, with the suite's signatures."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from deeprc.images import apptainer, debian, sif
from deeprc.images.errors import ImageError
from deeprc.images.workspace import workspace

DAY = 24 * 3600
PLACE = "/opt/apt"  # where the image's apt finds its configuration


@dataclass(frozen=True)
class Behind:
    """A package of an image that the suite has a newer version of.

    Attributes
    ----------
    security
        Whether the newer one is from Debian's security suite.
    """

    package: str
    version: str
    newer: str
    security: bool

    def __str__(self) -> str:
        return f"{self.package} {self.version} -> {self.newer}" + (" (security)" if self.security else "")


def days(path: Path) -> float | None:
    """Days since a SIF file was made, as its head says; None where it does not say."""
    made = sif.created(path)
    return None if made is None else (time.time() - made) / DAY


def words(path: Path) -> str:
    """How old a SIF file is, for people, in a few words."""
    age = days(path)
    if age is None:
        return "of unknown age"
    if age < -1:  # more than clocks differ
        return "of unknown age: its head names a day to come"
    return "built today" if age < 1 else f"built {age:.0f} day{'s' * (round(age) != 1)} ago"


def told(path: Path) -> str:
    """`words`, and whose they are: no signature is over the head, and what it is over must be the same every day."""
    said = words(path)
    return said if said.startswith("of") else f"{said}, as its head says"


def outdated(path: Path, sources: str, folder: Path) -> list[Behind]:
    """The packages of an image that are older than the suite's.

    Parameters
    ----------
    sources
        Lines of apt's sources.list (see `debian.sources`).
    folder
        Where the lists of packages are kept (20 MB), so that the next image finds them there.

    Raises
    ------
    ImageError
        Where the suite cannot be asked or no suite is named, or the image is not made of Debian's packages.
    """
    if not any(line.split()[:1] == ["deb"] for line in sources.splitlines()):
        raise ImageError(
            "no suite to compare with: of no package is it known whether it is behind",
            found="no line that begins with deb",
            expected="lines of apt's sources.list, such as: deb https://HOST/debian bookworm main",
        )
    with workspace() as place:
        debian.configure(place / "apt", sources)
        apt(path, place / "apt", folder, "update", "--error-on=any")
        text = apt(path, place / "apt", folder, "--simulate", "dist-upgrade")
    rows = re.findall(r"^Inst (\S+) \[(\S+)\] \((\S+) ([^\[]*)", text, flags=re.M)
    return [Behind(name, old, new, "security" in origin.lower()) for name, old, new, origin in rows]


def apt(path: Path, configuration: Path, folder: Path, *words: str) -> str:
    """What the image's own apt says of what is in the image; it changes nothing there, and needs no root."""
    for each in ("lists/partial", "cache/archives/partial"):
        (folder / each).mkdir(parents=True, exist_ok=True)
    options = ("Dir::State::lists=/mnt/lists", "Dir::Cache=/mnt/cache", "APT::Sandbox::User=root", "Debug::NoLocking=1")
    given = [word for option in options for word in ("-o", option)]
    flags = ["--containall", "--bind", f"{configuration}:{PLACE}", "--bind", f"{folder}:/mnt"]
    what, inside = f"comparing {path.name} with Debian's suite", {"APPTAINERENV_APT_CONFIG": f"{PLACE}/apt.conf"}
    return apptainer.run("exec", *flags, path, "apt-get", "-q", *given, *words, what=what, timeout=600, **inside)
