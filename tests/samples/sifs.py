"""SIF files that hold no image."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

from deeprc.images import sif
from deeprc.images.held import Held
from deeprc.images.store import Store


def write(path: Path, parts: dict[str, tuple[int, bytes]]) -> Path:
    """A SIF with these parts."""
    head, begin = bytearray(128), 128 + sif.ROOM * len(parts)
    head[sif.AT_MAGIC : sif.AT_MAGIC + len(sif.MAGIC)] = sif.MAGIC
    sif.TABLE.pack_into(head, sif.AT_TABLE, 0, len(parts), 128, sif.ROOM * len(parts))
    rows, data = b"", b""
    for name, (kind, content) in parts.items():
        row = bytearray(os.urandom(sif.ROOM))  # times and whatever else is there
        sif.DESCRIPTOR.pack_into(row, 0, kind, True, 1, 1, 0, begin + len(data), len(content))
        row[sif.AT_NAME] = name.encode().ljust(128, b"\0")
        struct.pack_into("<ii", row, sif.AT_FORM, sif.SQUASHFS, sif.PRIMARY)
        rows, data = rows + bytes(row), data + content
    path.write_bytes(bytes(head) + rows + data)
    return path


def stored(folder: Path, name: str, architecture: str, packages: list[str]) -> Held:
    """A store in `folder` with an image of that name, whose SBOM says that these packages are in it."""
    folder.mkdir()
    rows = [{"name": each, "version": "1"} for each in packages]
    text = json.dumps({"metadata": {"component": {}}, "components": rows}).encode()
    part = write(folder / "part", {"fs": (sif.PARTITION, b"squash"), "sbom.json": (sif.SBOM, text)})
    return Store(folder, []).adopt(part, name, architecture, sif.digest(part), source="built")
