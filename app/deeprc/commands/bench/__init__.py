"""`deeprc bench …`."""

from __future__ import annotations

from deeprc.applications.registry import applications
from deeprc.commands.bench import frames, learning, pilot  # each adds its commands
from deeprc.commands.bench.told import app

__all__ = ["app", "frames", "learning", "pilot"]

for _application in applications().values():
    for _name, _command in _application.benches().items():
        app.command(_name)(_command)
