"""What a job has used: the CPU time of its processes, and their memory."""

from __future__ import annotations

import resource


class Usage:
    """Of the job that runs; whoever reaps its processes tells what the kernel says of them.

    The kernel counts a process's CPU time in its parent's when that waits for it; what a job leaves behind becomes the
    worker's own child, and is waited for, too. Of memory it knows the most that a single process had. That includes the
    worker's own at the process's start (21 MB, more where modules are warm): Linux keeps it over fork and exec.
    """

    def __init__(self) -> None:
        self._before = _cpu()
        self._peak = 0

    def reaped(self, told: resource.struct_rusage) -> None:
        """A process has ended."""
        self._peak = max(self._peak, told.ru_maxrss)

    def told(self, seen: float) -> dict[str, float]:
        """`cpu` in seconds, `peak` in MB (10^6 bytes); `seen` is the most that all its processes had together at a
        look, if there were any.
        """
        return {"cpu": round(_cpu() - self._before, 3), "peak": round(max(seen, self._peak * 1024 / 1e6), 1)}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
