"""Writes the events of a run (see `deeprc.core.events`): what the report's timeline and overheads are made from."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from deeprc import pilot
from deeprc.core.events import Event, JobEvent, RunEvent, line
from deeprc.core.masking import masked_words

PACKAGES = ("deeprc", "snakemake", *pilot.PACKAGES, "mpi4py", "mpich", "polars", "pyarrow", "torch", "tensorflow-cpu")


class Events:
    """An append-only file of events; `mask` takes secrets out of what is told of commands."""

    def __init__(self, path: Path, mask: Callable[[str], str] = str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._file = path.open("a", encoding="utf-8")
        self._lock, self._mask = threading.Lock(), mask

    def write(self, event: Event) -> None:
        """Append one event; it is on disk when this returns, so that a crash loses none."""
        text = line(self._masked(event)).encode(errors="replace").decode()  # names of files may be no text
        with self._lock:
            self._file.write(text + "\n")
            self._file.flush()

    def _masked(self, event: Event) -> Event:
        mask = self._mask
        if isinstance(event, RunEvent):
            return replace(event, command=[mask(word) for word in masked_words(event.command)])
        if isinstance(event, JobEvent):
            argv = [mask(word) for word in event.argv]
            return replace(event, label=mask(event.label), command=mask(event.command), argv=argv)
        return event
