"""No batch system."""

from __future__ import annotations

from typing import ClassVar

from deeprc.schedulers.base import Scheduler, register
from deeprc.schedulers.queues import SchedulerFound


@register("fork")
class Fork(Scheduler):
    """This machine alone: what is started runs at once."""

    title = "no batch system"
    batch = False
    engine = "fork"
    settings: ClassVar = {"account": ()}  # nobody charges there

    def detect(self) -> SchedulerFound | None:
        """What is left where no batch system answers (`deeprc.schedulers.detect`)."""
        return None

    def end(self, name: str) -> None:
        """There are no jobs."""

    def left(self, name: str) -> list[str]:
        """None."""
        return []
