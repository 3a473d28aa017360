"""SIF files, read without a runtime: a login node may have none.

Their form is that of sylabs/sif, pkg/sif/sif.go: a head, a table of descriptors, and what these describe.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from deeprc.images.errors import ImageError

# Where the magic word and the architecture's code stand, and the codes.
MAGIC, AT_MAGIC, AT_ARCHITECTURE = b"SIF_MAGIC\0", 32, 45
CREATED, AT_CREATED = struct.Struct("<q"), 64  # seconds since 1970
TABLE, AT_TABLE = struct.Struct("<4q"), 80  # unused descriptors, all of them, where they begin, bytes of them
DESCRIPTOR, AT_PARTITION = struct.Struct("<i?IIIqq"), 201  # kind, used, number, group, link, where it begins, bytes
ROOM = 585  # bytes of a descriptor
PARTITION, SQUASHFS, PRIMARY = 0x4004, 1, 2
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


def created(path: Path) -> float | None:
    """When the image was made (Unix time), as it says itself; None where it says nothing that can be."""
    with path.open("rb") as handle:
        head = handle.read(AT_CREATED + CREATED.size)
    seconds = CREATED.unpack_from(head, AT_CREATED)[0] if len(head) >= AT_CREATED + CREATED.size else 0
    return float(seconds) if 0 < seconds < 2**33 else None


def digest(path: Path, part: tuple[int, int] | None = None) -> str:
    """`sha256:…` of the file, or of a part of it (where it begins, bytes)."""
    found, (start, left) = hashlib.sha256(), part or (0, path.stat().st_size)
    with path.open("rb") as handle:
        handle.seek(start)
        while block := handle.read(min(left, 4 * 2**20)):
            found.update(block)
            left -= len(block)
    return f"sha256:{found.hexdigest()}"


def file_system(path: Path) -> tuple[int, int]:
    """Where in the file the image's file system (squashfs) begins, and how many bytes it has."""
    with path.open("rb") as handle:
        head = handle.read(AT_TABLE + TABLE.size)
        unused, total, begin, _ = TABLE.unpack_from(head, AT_TABLE)
        handle.seek(begin)
        table = handle.read(ROOM * total)
    for row in range(0, len(table) - ROOM + 1, ROOM):
        kind, used, *_, start, size = DESCRIPTOR.unpack_from(table, row)
        form = struct.unpack_from("<ii", table, row + AT_PARTITION)
        if used and kind == PARTITION and form == (SQUASHFS, PRIMARY):
            return start, size
    raise ImageError("no squashfs in it", where=path, found=f"{total - unused} other parts", expected="a SIF image")


def extract(path: Path, target: Path) -> None:
    """Write the image's file system alone to `target`."""
    start, size = file_system(path)
    with path.open("rb") as source, target.open("wb") as copy:
        source.seek(start)
        while size and (block := source.read(min(size, 4 * 2**20))):
            copy.write(block)
            size -= len(block)
