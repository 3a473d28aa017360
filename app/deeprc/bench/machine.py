"""What a figure was measured on: no figure is worth much without it."""

from __future__ import annotations

import platform
from collections.abc import Iterable

from deeprc.core.shipped import installed
from deeprc.reporting.provenance import machine


def describe(packages: Iterable[str]) -> dict:
    """The machine and the versions of Python and `packages`."""
    return {**machine(), "python": platform.python_version(), "versions": installed(packages)}
