"""SIF files, read without a runtime: a login node may have none.

Their form is that of sylabs/sif, pkg/sif/sif.go: a head, a table of descriptors, and what these describe.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

from deeprc.images.errors import ImageError

# Where the magic word and the architecture's code stand, and the codes.
MAGIC, AT_MAGIC, AT_ARCHITECTURE = b"SIF_MAGIC\0", 32, 45
CREATED, AT_CREATED = struct.Struct("<q"), 64  # seconds since 1970
TABLE, AT_TABLE = struct.Struct("<4q"), 80  # unused descriptors, all of them, where they begin, bytes of them
DESCRIPTOR = struct.Struct("<i?IIIqq")  # kind, used, number, group, link, where it begins, bytes
AT_NAME, AT_FORM = slice(73, 201), 201
AT_SIGNER = slice(AT_FORM + 4, AT_FORM + 24)  # behind the kind of hash
ROOM = 585  # bytes of a descriptor
FIRST = 0x4000  # kinds are counted from there, as `apptainer sif add --datatype` does
PARTITION, SIGNATURE, JSON, SBOM = FIRST + 4, FIRST + 5, FIRST + 6, FIRST + 9
SQUASHFS, PRIMARY = 1, 2
# A random number and the times of the file, and those of a descriptor, in seconds.
AT_NUMBER, AT_TIMES, AT_PART_TIMES, TIMES = 48, 64, 41, struct.Struct("<2q")
ARCHITECTURES = {b"02": "x86_64", b"04": "aarch64", b"06": "ppc64le"}


def architecture(path: Path) -> str:
    """The architecture that the image is for; an ImageError where the file is not an image."""
    try:
        with path.open("rb") as handle:
            head = handle.read(AT_ARCHITECTURE + 2)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}", where=path, expected="a SIF file") from None
    if head[AT_MAGIC : AT_MAGIC + len(MAGIC)] != MAGIC:
        found = f"a file that begins with {head[:12]!r}" if head else "an empty file"
        raise ImageError("not a SIF image", where=path, found=found)
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
    found = 0
    for kind, row, start, size in _parts(path):
        found += 1
        if kind == PARTITION and struct.unpack_from("<ii", row, AT_FORM) == (SQUASHFS, PRIMARY):
            return start, size
    raise ImageError("no squashfs in it", where=path, found=f"{found} other parts", expected="a SIF image")


def document(path: Path, kind: int, name: str) -> bytes | None:
    """The part of that kind (`SBOM`, `JSON`) and name; None where there is none."""
    for found, row, start, size in _parts(path):
        if found == kind and row[AT_NAME].rstrip(b"\0") == name.encode():
            with path.open("rb") as handle:
                handle.seek(start)
                return handle.read(size)
    return None


def signers(path: Path) -> set[str]:
    """The fingerprints of the keys that its signatures say they are by, in capitals: claims, which nobody checked."""
    rows = [row for kind, row, *_ in _parts(path) if kind == SIGNATURE]
    return {row[AT_SIGNER].hex().upper() for row in rows}


def settle(path: Path, seconds: int) -> None:
    """Write `seconds` for every time in the file, and a hash of its file system for the random number.

    Apptainer does so itself from 1.5 on, where it is told the time. A signature is over neither.
    """
    number = bytes.fromhex(digest(path, file_system(path)).removeprefix("sha256:"))[:16]
    with path.open("r+b") as handle:
        handle.seek(AT_TABLE)
        _, total, begin, _ = TABLE.unpack(handle.read(TABLE.size))
        handle.seek(AT_NUMBER)
        handle.write(number + TIMES.pack(seconds, seconds))
        for row in range(total):
            handle.seek(begin + row * ROOM)
            if DESCRIPTOR.unpack(handle.read(DESCRIPTOR.size))[1]:
                handle.seek(begin + row * ROOM + AT_PART_TIMES)
                handle.write(TIMES.pack(seconds, seconds))


def _parts(path: Path) -> Iterator[tuple[int, bytes, int, int]]:
    """Of each part: its kind, its descriptor, where it begins, and its bytes."""
    with path.open("rb") as handle:
        head = handle.read(AT_TABLE + TABLE.size)
        if head[AT_MAGIC : AT_MAGIC + len(MAGIC)] != MAGIC or len(head) < AT_TABLE + TABLE.size:
            return
        _, total, begin, _ = TABLE.unpack_from(head, AT_TABLE)
        if not 0 <= begin <= path.stat().st_size - ROOM * total <= path.stat().st_size:  # damaged
            return
        handle.seek(begin)
        table = handle.read(ROOM * total)
    for place in range(0, len(table) - ROOM + 1, ROOM):
        row = table[place : place + ROOM]
        kind, used, *_, start, size = DESCRIPTOR.unpack_from(row)
        if used:
            yield kind, row, start, size


def extract(path: Path, target: Path) -> None:
    """Write the image's file system alone to `target`."""
    start, size = file_system(path)
    with path.open("rb") as source, target.open("wb") as copy:
        source.seek(start)
        while size and (block := source.read(min(size, 4 * 2**20))):
            copy.write(block)
            size -= len(block)
