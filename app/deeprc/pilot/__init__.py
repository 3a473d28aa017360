"""One allocation that tasks run in, behind a small interface; RADICAL-Pilot is the engine behind that."""

from deeprc.pilot.allocation import Allocation
from deeprc.pilot.client import Pilot
from deeprc.pilot.tasks import Outcome, Task

ENGINE = "RADICAL-Pilot"  # what people call the engine
PACKAGES = ("radical.pilot",)  # whose versions a run notes, for the engine

__all__ = ["ENGINE", "PACKAGES", "Allocation", "Outcome", "Pilot", "Task"]
