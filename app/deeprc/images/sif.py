"""The head of a SIF file, read without a runtime: a login node may have none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from deeprc.images.errors import ImageError

# Where the magic word and the architecture's code stand, and the codes (sylabs/sif, pkg/sif/sif.go).
MAGIC, AT_MAGIC, AT_ARCHITECTURE = b"SIF_MAGIC\0", 32, 45
ARCHITECTURES = {b"02": "x86_64", b"04": "aarch64", b"06": "ppc64le"}


def architecture(path: Path) -> str:
    """The architecture that the image is for; an ImageError where the file is not an image."""
    try:
        with path.open("rb") as handle:
            head = handle.read(AT_ARCHITECTURE + 2)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}", where=path, expected="a SIF file") from None
    if head[AT_MAGIC : AT_MAGIC + len(MAGIC)] != MAGIC:
        raise ImageError("not a SIF image", where=path, found=f"a file that begins with {head[:12]!r}")
    code = head[AT_ARCHITECTURE:]
    return ARCHITECTURES.get(code, f"an architecture with the code {code!r}")


def digest(path: Path, progress: Callable[[int], None] = lambda _: None) -> str:
    """`sha256:…` of the file."""
    found = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(4 * 2**20):
            found.update(block)
            progress(len(block))
    return f"sha256:{found.hexdigest()}"
