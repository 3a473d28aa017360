"""Writes the events of a run (see `deeprc.core.events`): what the report's timeline and overheads are made from."""

from __future__ import annotations

import errno
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
        self._file, self._late = path.open("ab", buffering=0), b""
        self._lock, self._mask = threading.Lock(), mask

    def write(self, event: Event) -> None:
        """Append one event; it is on disk when this returns, so that a crash loses none.

        Where the disk is full, it is written with the next one for which there is room: what has ended has ended.
        """
        text = line(self._masked(event)).encode(errors="replace")  # names of files may be no text
        with self._lock:
            self._late += text + b"\n"
            try:
                while self._late:
                    self._late = self._late[self._file.write(self._late) :]
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise

    def _masked(self, event: Event) -> Event:
        mask = self._mask
        if isinstance(event, RunEvent):
            return replace(event, command=[mask(word) for word in masked_words(event.command)])
        if isinstance(event, JobEvent):
            told = {"label": mask(event.label), "command": mask(event.command)}
            told["argv"] = [mask(word) for word in event.argv]
            return replace(event, **told) if any(getattr(event, name) != text for name, text in told.items()) else event
        return event
