"""Writing into the site file what a run of the doctor has seen to be so: mark `seen`, date, version of the tool."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from deeprc.core.files import write_text
from deeprc.doctor.result import CheckResult
from deeprc.launch import Layout
from deeprc.sites import Partition, Site
from deeprc.sites.edit import with_keys
from deeprc.sites.fact import Fact
from deeprc.sites.identity import CHOICE

# Check and subject of an outcome -> the part of the file, and the keys, that are so where it is ok.
SEEN = {
    ("machine", "identity"): ("identity", ("environment", "hostnames")),
    ("machine", "architecture"): ("partition", ("architecture",)),
    ("machine", "cores"): ("partition", ("cores",)),
    ("machine", "scheduler"): ("scheduler", ("name",)),
    ("machine", "PMI"): ("launcher", ("pmi",)),
    ("world", "world size"): ("launcher", ("name",)),
    ("provider", "MPI"): ("interconnect", ("fabric", "provider")),
    ("machine", "runtime"): ("runtime", ("kind", "version")),
}
OWN = set(Fact.model_fields)


def confirm(
    file: Path, site: Site, partition: Partition, layout: Layout, outcomes: Sequence[CheckResult], today: datetime.date
) -> list[str]:
    """Mark what was seen in the site's file, and return a line for each part.

    One rank says nothing about the launcher, one node nothing about the network, and a site named by DEEPRC_SITE
    nothing about the signs that it is known by. A part is left as it is where anything about it is not ok. Its keys
    that nobody had verified, and that were not seen either, are named in `unverified`.
    """
    text, lines = file.read_text(encoding="utf-8"), []
    silent = {"world": layout.ranks == 1, "provider": layout.nodes == 1 and site.interconnect.provider != "shm"}
    outcomes = [one for one in outcomes if one.status != "ok" or not silent.get(one.check)]
    if CHOICE in os.environ:
        outcomes = [one for one in outcomes if one.subject != "identity"]
    for path, fact, name, keys in _parts(site, partition, outcomes):
        values = _values(fact, keys, today)
        text = with_keys(text, path, values)
        lines.append(f"{name}: seen ({', '.join(keys)})" + _left(values.get("unverified")))
    if not lines:
        return [f"nothing of {site.name} is confirmed: no part with a mark has been seen to be so as a whole"]
    write_text(file, text)
    return lines


def _parts(
    site: Site, partition: Partition, outcomes: Iterable[CheckResult]
) -> list[tuple[list[str | int], Fact, str, list[str]]]:
    """The parts of which all that was looked at is so: path in the file, fact, name, keys that were seen."""
    number = next(n for n, part in enumerate(site.partitions) if part.name == partition.name)
    places: dict[str, tuple[list[str | int], Fact]] = {
        name: ([name], getattr(site, name)) for name in ("identity", "scheduler", "launcher", "interconnect", "runtime")
    }
    places["partition"] = (["partitions", number], site.partitions[number])
    if partition.launcher is not None:  # another one started the ranks
        places["launcher"] = (["partitions", number, "launcher"], partition.launcher)
    seen_at = dict(SEEN)
    for index, mpi in enumerate(site.mpi):
        places[f"mpi.{index}"] = (["mpi", index], mpi)
        seen_at["machine", f"MPI {mpi.implementation}"] = (f"mpi.{index}", ("implementation", "version", "family"))
    seen: dict[str, list[str]] = {}
    wrong = set()
    for outcome in outcomes:
        place, keys = seen_at.get((outcome.check, outcome.subject), (None, ()))
        if place and outcome.status == "ok":
            stated = [key for key in keys if key in places[place][1].model_fields_set]
            seen[place] = seen.get(place, []) + stated
        elif place and outcome.status != "not run":
            wrong.add(place)
    found = []
    for place, keys in seen.items():
        path, fact = places[place]
        if place not in wrong and keys and fact.mark is not None:
            found.append((path, fact, ".".join(map(str, path)), keys))
    return found


def _values(fact: Fact, keys: Sequence[str], today: datetime.date) -> dict[str, object]:
    known = fact.unverified if fact.mark != "U" else sorted(fact.model_fields_set - OWN)
    before = f"{fact.mark}, {fact.source}" + (f" ({fact.date})" if fact.date else "") if fact.source else fact.mark
    said = f"deeprc doctor {version('deeprc')} saw {', '.join(keys)}; before: {before}"
    if fact.mark == "seen":
        said = fact.source or said
        said = f"deeprc doctor {version('deeprc')} saw {', '.join(keys)}; {said.partition('; ')[2]}".rstrip("; ")
    left = [key for key in known if key not in keys and key not in ("description", "name")]
    values = {"mark": "seen", "source": said, "date": today}
    return values | ({"unverified": left} if left or fact.unverified else {})


def _left(unverified: object) -> str:
    return f"; nobody has verified {', '.join(unverified)}" if isinstance(unverified, list) and unverified else ""
