"""One allocation that tasks run in: RADICAL-Pilot behind a small interface."""

from deeprc.pilot.client import Outcome, Pilot, Task

__all__ = ["Outcome", "Pilot", "Task"]
