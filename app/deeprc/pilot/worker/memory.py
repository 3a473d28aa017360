"""Memory of a job: its limit, and whether the kernel ended one of its processes for lack of it."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

from processes import KEPT, descendants

INTERVAL = 0.5  # seconds between two looks
PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 10**6  # as in `mem_mb`


class Memory:
    """Watches what a job's processes hold.

    Without a cgroup of its own nothing keeps a job from taking more than it has asked for, until the machine itself is
    out of memory and the kernel ends somebody else's process. So it is looked at twice a second.

    Parameters
    ----------
    limit
        MB (10^6 bytes) that the job may use; 0 where it has asked for nothing.
    """

    def __init__(self, limit: float) -> None:
        self._limit, self._next = limit, 0.0
        self._kills = _kernel_kills()
        self.used = 0.0  # MB at the last look that saw too much
        self.peak = 0.0  # the most MB at any look, shared pages counting each time

    @property
    def limited(self) -> bool:
        """Whether it has to be looked at."""
        return self._limit > 0

    def exceeded(self) -> bool:
        """Whether the job uses more than it may, as far as it is time to look.

        Pages that several processes share count once. Their sum is exact, but takes longer to find out than that in
        which each counts as often as it is shared: that one is looked at first.
        """
        if not self.limited or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + INTERVAL
        family = descendants(*KEPT)
        held = sum(map(_resident, family))
        self.peak = max(self.peak, held)
        if held <= self._limit:
            return False
        self.used = sum(map(_share, family))
        return self.used > self._limit

    def kernel_killed(self) -> bool:
        """Whether the kernel has ended any process of this machine for lack of memory since the job began."""
        return _kernel_kills() > self._kills


def _kernel_kills() -> int:
    with contextlib.suppress(OSError, ValueError):  # for every job, so not line by line
        return int(
            Path("/proc/vmstat").read_bytes().partition(b"\noom_kill ")[2].partition(b"\n")[0]
        )  # since Linux 4.13
    return 0


def _resident(pid: int) -> float:
    """MB that a process holds, shared ones too."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / MB
    return 0.0


def _share(pid: int) -> float:
    """MB that a process holds, of those shared by n processes an n-th.

    Pages of files on a disk do not count, where the kernel tells them apart: it drops them when memory runs short.
    """
    with contextlib.suppress(OSError):
        told = dict(re.findall(r"^(Pss\w*): +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE))
        held = [told["Pss_Anon"], told["Pss_Shmem"]] if "Pss_Shmem" in told else [told["Pss"]] if told else []
        if held:
            return sum(map(int, held)) * 1024 / MB
    return _resident(pid)
