"""One allocation that tasks run in: RADICAL-Pilot behind a small interface."""

from deeprc.pilot.client import Pilot
from deeprc.pilot.tasks import Outcome, Task

__all__ = ["Outcome", "Pilot", "Task"]
