"""A worker that was started, and the line to it."""

from __future__ import annotations

import contextlib
import time

from deeprc.pilot import schedule
from deeprc.pilot.schedule import IDLE, LEAVING
from deeprc.pilot.tasks import Task
from deeprc.pilot.worker.line import Line


class Worker(schedule.ScheduledWorker):
    """A worker, and the line to it. It is idle once it has called and the pilot has told its cores."""

    line: Line | None = None
    cores: list[tuple[str, int]] | None = None
    task: Task | None = None
    since = 0.0

    def rest(self) -> None:
        """Wait for a job."""
        if self.state != LEAVING and self.line is not None and self.cores is not None:
            self.turn(IDLE)
            self.since = time.monotonic()

    def tell(self, **command: object) -> None:
        """Send a command; that the worker is gone is noticed by the thread that listens to it."""
        with contextlib.suppress(OSError, AttributeError):  # or that it has not called yet
            self.line.send(command)

    def leave(self, *, gently: bool = False) -> None:
        """End as soon as possible; `gently`: once its job has ended, which is asked to."""
        self.turn(LEAVING)
        self.tell(leave="gently" if gently else "now")
