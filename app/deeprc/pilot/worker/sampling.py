"""Memory, CPU and I/O of a job's processes, for Snakemake's `benchmark:`."""

from __future__ import annotations

import json
import time
from pathlib import Path

try:
    import psutil
except ImportError:  # inside an image without it: the benchmark then has times only
    psutil = None

INTERVAL = 0.25  # seconds between two samples
MB = 1024 * 1024


class UsageSampler:
    """Looks at a process and its descendants; one record for each repeat of the command.

    Parameters
    ----------
    path
        The JSON file to write: a list with an object per repeat, `max_rss`, `max_vms`, `max_uss`, `max_pss`, `io_in`,
        `io_out` (MB) and `cpu_time` (s). Beside it is `times`, with a line per repeat that is over.
    around
        Whether the process is a script of ours around the command.
    """

    def __init__(self, pid: int, path: Path, around: bool = True) -> None:
        self._path, self._next, self._around = path, 0.0, around
        self.follow(pid)
        self._peaks: dict[int, dict[str, float]] = {}
        self._used: dict[int, dict[int, tuple[float, float, float]]] = {}  # used so far by each repeat's processes

    def follow(self, pid: int) -> None:
        """Look at this process from now on."""
        self._process = psutil.Process(pid) if psutil else None

    def look(self) -> None:
        """Sample, if it is time to."""
        if self._process is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + INTERVAL
        try:
            repeat = (self._path.parent / "times").read_text().count("\n")
        except OSError:
            repeat = 0
        sums = dict.fromkeys(("max_rss", "max_vms", "max_uss", "max_pss"), 0.0)
        try:
            family = [self._process, *self._process.children(recursive=True)]
        except (psutil.Error, OSError):
            return
        for process in family[1:] if self._around and len(family) > 1 else family:
            try:
                with process.oneshot():
                    memory, cpu = process.memory_full_info(), process.cpu_times()
                    read, written = process.io_counters()[2:4]
            except (psutil.Error, OSError):  # it has just ended
                continue
            for name in sums:
                sums[name] += getattr(memory, name[4:]) / MB
            used = self._used.setdefault(repeat, {})
            used[process.pid] = (cpu.user + cpu.system, read / MB, written / MB)
        peaks = self._peaks.setdefault(repeat, sums)
        for name, value in sums.items():
            peaks[name] = max(peaks[name], value)

    def write(self) -> None:
        """Write what was seen."""
        records = []
        for repeat in range(max(self._peaks, default=-1) + 1):
            used = self._used.get(repeat, {}).values()
            cpu, read, written = (sum(column) for column in zip(*used, strict=True)) if used else (0.0, 0.0, 0.0)
            records.append({**self._peaks.get(repeat, {}), "cpu_time": cpu, "io_in": read, "io_out": written})
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(records))
        temporary.replace(self._path)
