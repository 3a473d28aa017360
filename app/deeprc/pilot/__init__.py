"""One allocation that tasks run in, behind a small interface; RADICAL-Pilot is the engine behind that."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeprc.pilot.allocation import Allocation
    from deeprc.pilot.client import Pilot
    from deeprc.pilot.tasks import Outcome, Task

ENGINE = "RADICAL-Pilot"  # what people call the engine
PACKAGES = ("radical.pilot",)  # whose versions a run notes, for the engine
HOMES = {"Allocation": "allocation", "Outcome": "tasks", "Pilot": "client", "Task": "tasks"}

__all__ = ["ENGINE", "PACKAGES", "Allocation", "Outcome", "Pilot", "Task"]


def __getattr__(name: str) -> object:
    """Import a class when it is asked for: the process that holds the engine needs none of them, and starts sooner."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
