"""The SBOM and the provenance of an image: beside its file, and as artifacts of its registry.

What lies in the SIF is what counts: a pinned digest and a signature are over that. These are copies for people and
tools that read no SIF.
"""

from __future__ import annotations

import json
from pathlib import Path

from deeprc.core.errors import command
from deeprc.core.files import atomic
from deeprc.images import provenance, sbom, sif
from deeprc.images.errors import ImageError

SUFFIXES = {sbom.SBOM: ".cdx.json", sbom.PROVENANCE: ".provenance.json"}  # as CycloneDX and SLSA recommend
TYPES = {".cdx.json": "application/vnd.cyclonedx+json", ".provenance.json": "application/vnd.in-toto+json"}


def beside(path: Path) -> list[Path]:
    """Where the documents of the image in that file lie, or would lie."""
    return [path.with_suffix(suffix) for suffix in SUFFIXES.values()]


def of(path: Path, name: str, digest: str) -> dict[str, bytes]:
    """The documents in a SIF file, by the suffix of their files; none where it has none.

    The provenance becomes a statement on the file, which is called `name` and has that digest.
    """
    found = {}
    for document, suffix in SUFFIXES.items():
        if (text := sif.document(path, sbom.DOCUMENTS[document], document)) is not None:
            if document == sbom.PROVENANCE:
                made = provenance.statement(json.loads(text), name, digest)
                text = json.dumps(made, indent=1, sort_keys=True).encode()
            found[suffix] = text
    return found


def require_beside(path: Path, name: str, digest: str) -> None:
    """Refuse documents beside an image that are not those in it; that one is not there is no fault.

    Raises
    ------
    ImageError
        Where one was changed, or stands beside an image that has none.
    """
    inside = of(path, name, digest)
    for each in beside(path):
        if each.is_file() and each.read_bytes() != inside.get(each.name.removeprefix(path.stem)):
            fix = f"remove it: {command('deeprc', 'image', 'sbom', path)} prints what is in the image"
            raise ImageError("not the document that is in the image", where=each, found="other content", fix=fix)


def write_beside(path: Path, name: str, digest: str) -> None:
    """Write the documents of an image beside it."""
    for suffix, text in of(path, name, digest).items():
        with atomic(path.with_suffix(suffix)) as new:
            new.write_bytes(text)
            new.chmod(0o644)
