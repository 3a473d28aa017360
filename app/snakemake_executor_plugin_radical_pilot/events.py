"""The events of a run as JSON lines: what the report's timeline and overheads are made from."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

PACKAGES = ("deeprc", "snakemake", "radical.pilot", "mpi4py", "mpich", "polars", "pyarrow", "torch", "tensorflow-cpu")


class Events:
    """An append-only file of events; every line has `event` and `time` (seconds since the epoch)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._lock = path.open("a", encoding="utf-8"), threading.Lock()

    def write(self, event: str, **fields: object) -> None:
        """Append one event; it is on disk when this returns, so that a crash loses none."""
        with self._lock:
            self._file.write(json.dumps({"event": event, "time": time.time(), **fields}, ensure_ascii=False) + "\n")
            self._file.flush()
