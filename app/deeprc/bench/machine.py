"""What a figure was measured on: no figure is worth much without it."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable
from pathlib import Path


def describe(packages: Iterable[str]) -> dict:
    """The machine, the day, the commit of the checkout (`+`: files differ from it), the versions of `packages`."""
    from deeprc.reporting.provenance import measured_on  # here: ranks that are measured need none of it

    return measured_on(packages)


class ProcessUse:
    """The processor time and the memory of this process."""

    def cpu_seconds(self) -> float:
        return time.process_time()

    def forget_peak(self) -> None:
        """The most memory is looked for from here on."""
        self.from_here = forget_peak()

    def peak_mb(self) -> float:
        return peak_mb(self.from_here)


def forget_peak() -> bool:
    """Reset the peak of this process's memory, where the system can; else the peak is that since it started."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_mb(from_here: bool) -> float:
    """The most memory that this process held, MiB; since `forget_peak`, if that could."""
    status = Path("/proc/self/status")
    if from_here and status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
