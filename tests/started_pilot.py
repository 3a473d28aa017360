"""A pilot that tests start themselves, without Snakemake."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import psutil

from deeprc.core.threads import variables
from deeprc.pilot import Allocation, Pilot, Task
from deeprc.pilot.worker import surroundings
from deeprc.sites import load_site
from local_engine import Local

SECONDS = 120  # that anything may take on a busy machine


class Started:
    """A pilot of two cores whose jobs' files lie in `folder`."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder, self.said = folder, []
        self.environment = folder / "environment"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        theirs = {**os.environb, b"PATH": path.encode(), b"OWN_VALUE": b"a b\nc", b"DEEPRC_ANY": b"kept"}
        theirs |= {name.encode(): value.encode() for name, value in more.items()}
        self.environment.write_bytes(surroundings.dump(theirs))
        self.pilot = Pilot(
            Allocation(load_site("localhost"), cores=2, runtime=30), folder / "pilot", image="none", engine=Local,
            grace=1.0, say=lambda line: self.said.append(line),
        )  # fmt: skip
        self.pilot.start()
        self._count = 0

    def job(self, command: str, ranks: int = 2, warm: tuple[str, ...] = ("mpi4py.MPI", "json"), **files: str) -> Task:
        """A job of `ranks` ranks in a folder of its own, where `files` (modules) are."""
        self._count += 1
        folder = self.folder / f"job.{self._count}"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        return Task(
            folder.name, ["/bin/bash", "-c", f"set -euo pipefail; {command}"], ranks, warm=warm,
            folder=str(folder), workdir=str(folder), environment=str(self.environment),
            variables={**variables(1), "DEEPRC_RANKS": f"{ranks}", "DEEPRC_UMASK": "27"},
        )  # fmt: skip

    def submit(self, *tasks: Task) -> None:
        self.pilot.submit([*tasks])

    def wait(self, count: int) -> list:
        found, deadline = [], time.monotonic() + SECONDS
        while len(found) < count:
            assert time.monotonic() < deadline, found
            found += self.pilot.outcomes()
            time.sleep(0.01)
        return found

    def run(self, command: str, **files: str) -> tuple[str, list[str], Path]:
        """How a job ended: its state, what each rank has printed, and its folder."""
        task = self.job(command, **files)
        self.submit(task)
        (outcome,) = self.wait(1)
        assert outcome.uid == task.uid
        self.outcome, folder = outcome, Path(task.folder)
        return outcome.state, [(folder / f"out.{rank}").read_text() for rank in range(2)], folder

    def members(self) -> list[int]:
        """The processes that have started MPI."""
        found = psutil.Process().children(recursive=True)
        workers, members = set(), []
        for each in found:
            with contextlib.suppress(psutil.Error):  # it has just ended
                if any(":" in word for word in each.cmdline()[-3:-1]):
                    workers.add(each.pid)
                    members += [each.pid] if each.ppid() in workers else []
        return members
