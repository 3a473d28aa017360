"""Where to look: the private folder of runs, the images, and whether pilots run there."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from deeprc.doctor.security.listening import RunningPilot
from deeprc.images.store import Store


@dataclass(frozen=True)
class Place:
    """What the checks look at.

    Attributes
    ----------
    folder
        The private folder of runs (`--radical-pilot-folder`).
    pilots, elsewhere
        Pilots of this user on this machine: those of that folder, and the others, which are left alone.
    store
        The images.
    copies
        Where nodes keep copies of images.
    """

    folder: Path
    pilots: list[RunningPilot]
    elsewhere: list[RunningPilot]
    store: Store
    copies: Path | None = None

    @property
    def taken(self) -> bool:
        """Whether a file, a FIFO or a socket stands in its place."""
        with contextlib.suppress(PermissionError):
            return self.folder.exists() and not self.folder.is_dir()
        return False

    @property
    def open(self) -> bool:
        """Whether the private folder can be looked into; what is not there counts."""
        try:
            return not self.folder.exists() or os.access(self.folder, os.R_OK | os.X_OK)
        except PermissionError:  # nor can the one that it lies in
            return False

    @property
    def runs(self) -> list[Path]:
        """The folders of runs, the oldest first."""
        folder = self.folder / "runs"
        with contextlib.suppress(PermissionError, FileNotFoundError, NotADirectoryError):
            return sorted(path for path in folder.iterdir() if path.is_dir())
        return []

    @property
    def running(self) -> set[Path]:
        """The folders of runs whose pilot runs on this machine."""
        return {pilot.folder.parent for pilot in self.pilots}
