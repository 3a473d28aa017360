"""Writes the events of a run (see `deeprc.events`): what the report's timeline and overheads are made from."""

from __future__ import annotations

import threading
from pathlib import Path

from deeprc.events import Event, line

PACKAGES = ("deeprc", "snakemake", "radical.pilot", "mpi4py", "mpich", "polars", "pyarrow", "torch", "tensorflow-cpu")


class Events:
    """An append-only file of events."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._lock = path.open("a", encoding="utf-8"), threading.Lock()

    def write(self, event: Event) -> None:
        """Append one event; it is on disk when this returns, so that a crash loses none."""
        text = line(event).encode(errors="replace").decode()  # names of files may be no text
        with self._lock:
            self._file.write(text + "\n")
            self._file.flush()
