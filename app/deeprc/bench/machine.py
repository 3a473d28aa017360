"""What a figure was measured on: no figure is worth much without it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path

from deeprc.core.shipped import installed
from deeprc.sites import detect


def describe(packages: Iterable[str]) -> dict:
    """The machine and the versions of Python and `packages`."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    return {
        "cpu": cpu,
        "cores": detect.cores(),
        "memory_mb": detect.memory_mb(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": installed(packages),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
