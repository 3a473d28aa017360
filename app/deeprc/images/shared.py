"""Folders of images that are for others, too."""

from __future__ import annotations

import stat
from pathlib import Path

from deeprc.core.errors import command
from deeprc.core.ownership import user


def unreadable(folder: Path) -> str | None:
    """Why not everybody can read what is in a folder; None where everybody can."""
    for place in (folder, *folder.parents):
        mode, owner = stat.S_IMODE(place.stat().st_mode), user(place.stat().st_uid)
        needed = stat.S_IXOTH | (stat.S_IROTH if place == folder else 0)
        if mode & needed != needed:
            rights = "rx" if place == folder else "x"
            cure = command("chmod", f"o+{rights}", place)
            return f"others cannot read {folder}: {place} has the mode {mode:04o} ({owner}); {cure}"
    return None
