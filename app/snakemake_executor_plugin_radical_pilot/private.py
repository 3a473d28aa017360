"""The files of a run that hold secrets: readable by their owner only, and gone when the run is, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from deeprc.pilot.batch import jobs_below
from deeprc.pilot.processes import sweep_below

ENVIRONMENT, CONFIGURATION = "environment", "configuration.json"


class Private:
    """Those of the run in `folder`.

    At its end the run removes them. Where it is killed, the process that holds RADICAL-Pilot does, which is told their
    `paths`, or its fork; where all of these are killed, the next run. A lock on them tells whether their run lives.
    """

    def __init__(self, folder: Path) -> None:
        self.environment = folder / ENVIRONMENT  # that of jobs
        self.configuration = folder / CONFIGURATION  # for Snakemakes inside
        self._held: list[BinaryIO] = []
        self._scripts: list[Path] = []

    @property
    def paths(self) -> list[Path]:
        """All that there may be."""
        return [self.environment, self.configuration]

    def write(self, path: Path, content: bytes) -> None:
        """Write one of them."""
        unseen = path.with_name(f".{path.name}")  # by others, until it is locked
        file = os.fdopen(os.open(unseen, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        _lock(file)
        file.write(content)
        file.flush()
        unseen.rename(path)
        self._held.append(file)

    def add(self, script: Path) -> None:
        """Have a script removed, too, whose command holds a secret."""
        script.chmod(0o600)
        self._scripts.append(script)

    def remove(self) -> None:
        """Remove all of them."""
        for path in [*self.paths, *self._scripts]:
            path.unlink(missing_ok=True)
        for file in self._held:
            file.close()
        with contextlib.suppress(OSError):  # it holds more
            self.environment.parent.rmdir()


def sweep(runs: Path) -> list[str]:
    """Remove those of runs that were killed, and end what is left of them; return what there was, in words."""
    quiet = [run for run in runs.glob("*") if not (run / ENVIRONMENT).exists()]
    ended, jobs = 0, [name for run in quiet for name in jobs_below(run)]  # nobody answered at the end of these
    for name in (ENVIRONMENT, CONFIGURATION):
        for path in runs.glob(f"*/{name}"):
            with contextlib.suppress(OSError), path.open("r+b") as file:
                if _lock(file):
                    ended += sweep_below(path.parent)
                    jobs += jobs_below(path.parent)
                    path.unlink()
    processes = f"{ended} process{'es' * (ended > 1)} that it had left here"
    return [*([processes] if ended else []), *(f"its job {name}" for name in jobs)]


def _lock(file: BinaryIO) -> bool:
    """Whether it could be locked: no other process has; some file systems have no locks."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
