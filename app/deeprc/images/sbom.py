"""What an image says is in it: its SBOM (CycloneDX 1.6), which `containers/sbom.py` writes when it is built.

It lies in the image's file system and, where it can be read without a runtime, beside it in the SIF: a pinned digest
and a signature are over both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from packaging.utils import canonicalize_name

from deeprc.images import labels, sif
from deeprc.images.catalog import Image
from deeprc.images.errors import ImageError

SBOM, PROVENANCE = "sbom.json", "provenance.json"
DOCUMENTS = {SBOM: sif.SBOM, PROVENANCE: sif.JSON}  # name -> kind of the SIF's part
STAGES = {"frames": ("mpi4py", "polars", "pyarrow"), "torch": ("torch",), "tensorflow": ("tensorflow",)}
NAMES = {
    "tensorflow-cpu": "tensorflow",
    "intel-oneapi-ccl": "oneccl",
    "hip": "rocm",
}  # as in the catalog


def read(path: Path, name: str = SBOM) -> dict:
    """The SBOM (or the provenance) in a SIF file.

    Raises
    ------
    ImageError
        Where there is none.
    """
    if text := sif.document(path, DOCUMENTS[name], name):
        return json.loads(text)
    fix = "build it again (`deeprc image build`), or ask whoever publishes it for such a one"
    raise ImageError(f"the image has no {name}: what is in it is not known", where=path, fix=fix)


def packages(path: Path) -> set[str]:
    """The packages that an image says it holds, by their canonical names; an ImageError where it says nothing."""
    names = {row["name"] for row in read(path)["components"]}
    return {canonicalize_name(name) for name in names | {NAMES[name] for name in names & NAMES.keys()}}


def check(path: Path, image: Image) -> None:
    """Refuse an image whose SBOM tells of anything else than its catalog entry."""
    found = read(path)
    facts = {row["name"]: row["value"] for row in found["metadata"]["component"]["properties"]}
    labels.check(facts, image, where=f"{path}, {SBOM}")
    there = {NAMES.get(row["name"], row["name"]): row["version"] for row in found["components"]}
    for name, version in wanted(image):
        has = there.get(name)
        if has is None or (version and not f"{has}.".startswith((f"{version}.", f"{version}-"))):
            raise ImageError(
                f"the image is not what the catalog calls {image.name}: its SBOM has another {name}",
                where=path,
                found=f"{name} {has}" if has else f"no {name}",
                expected=f"{name} {version or 'of any version'}",
                fix="correct the catalog, or build the image again",
            )


def wanted(image: Image) -> Iterator[tuple[str, str | None]]:
    """The packages that a catalog entry promises, each with its version or the beginning of it."""
    yield "libc6", image.glibc
    if image.route == "cylon":  # its packages are conda's
        return
    yield from ((mpi.implementation, mpi.version) for mpi in image.mpi)
    yield from ((name, None) for stage in image.stages for name in STAGES.get(stage, ()))
    yield from (tuple(text.split(" ")) if " " in text else (text, None) for text in image.collectives)
    if image.accelerator and image.accelerator.toolkit != "oneapi":  # that is a release of many packages
        yield image.accelerator.toolkit, image.accelerator.version


def licences(document: dict) -> dict[str, list[str]]:
    """The packages under each licence, as the packages themselves call it: Debian's `Expat` is SPDX's `MIT`.

    Nothing is translated, since the same name is not always the same text. Names that differ in their case alone are
    one, as in SPDX.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row in document["components"]:
        said = [each.get("expression") or _name(each.get("license", {})) for each in row.get("licenses", [])]
        package = " ".join(filter(None, (row["name"], row.get("version"))))
        for name in dict.fromkeys(filter(None, said)) or ["not said"]:
            found.setdefault(name.lower(), {}).setdefault(name, []).append(package)
    lists = {
        min(names, key=lambda name: (-len(names[name]), name)): list(dict.fromkeys(chain(*names.values())))
        for names in found.values()
    }
    return {name: lists[name] for name in sorted(lists, key=str.lower)}


def _name(licence: dict) -> str | None:
    return licence.get("id") or licence.get("name")
