"""One allocation that tasks run in, behind a small interface; RADICAL-Pilot is the engine behind that."""

from deeprc.pilot.allocation import Allocation
from deeprc.pilot.client import Pilot
from deeprc.pilot.tasks import Outcome, Task

__all__ = ["Allocation", "Outcome", "Pilot", "Task"]
