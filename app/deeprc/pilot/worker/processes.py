"""Starting a job's process, and ending it with all that it left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def become_reaper() -> None:
    """Make orphans of jobs children of this process, instead of init's: none can get away."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(argv: list[str], environment: dict[str, str]) -> int:
    """Start a command in a session of its own; return its number."""
    return os.posix_spawn(
        argv[0],
        argv,
        environment,
        setsid=True,
        setsigdef=[signal.SIGCHLD, signal.SIGPIPE],
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
    )


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the session's first process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def children() -> list[int]:
    """The numbers of this process's children; those of a thread are all, as there is only one."""
    me = os.getpid()
    try:
        return [int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()]
    except OSError:  # a kernel without that file
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _parent(path) == me]


def end_leftovers(seconds: float = 5.0) -> None:
    """Kill every descendant: a killed child's own children become ours, and are next."""
    deadline = time.monotonic() + seconds
    while (left := children()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
                    time.sleep(0.002)


def _parent(folder: Path) -> int | None:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None
