"""What can go wrong with images."""

from __future__ import annotations

import re

from deeprc.core.errors import DeepRCError

_NO_ROOM = re.compile("no space left on device|disk quota exceeded|read-only file system", re.IGNORECASE)


class ImageError(DeepRCError):
    """An image that is missing, damaged or not the one that was asked for, or that cannot be built."""


class RegistryError(DeepRCError):
    """A registry that does not answer, or that does not have what was asked for."""


def no_room(log: str) -> str | None:
    """What to do where a program's log says that it could not write; None where it says nothing of that."""
    if not _NO_ROOM.search(log):
        return None
    places = "where builds work ($APPTAINER_TMPDIR, else $TMPDIR or /tmp) and where images lie ($DEEPRC_IMAGES)"
    return f"free some space, or name other folders: {places}; `deeprc image prune` removes old images"
