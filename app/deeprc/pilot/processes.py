"""Finding and ending the processes of a pilot, by the mark that all of them inherit in their environment."""

from __future__ import annotations

import os

import psutil

MARK = "DEEPRC_PILOT"


def marked(mark: str) -> list[psutil.Process]:
    """The other running processes of this user whose environment holds MARK=`mark`."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.pid != os.getpid() and process.environ().get(MARK) == mark
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # it has just ended, or is another user's
            continue
    return found


def sweep(mark: str, *, grace: float = 1.0) -> int:
    """End every other process that carries `mark`; return how many there were.

    They get SIGTERM, and SIGKILL after `grace` seconds.
    """
    first = left = marked(mark)
    for _ in range(5):  # killed shells may just have started something: look again
        if not left:
            break
        for process in left:
            _try(process.terminate)
        _, alive = psutil.wait_procs(left, timeout=grace)
        for process in alive:
            _try(process.kill)
        psutil.wait_procs(alive, timeout=grace)
        left = marked(mark)
    return len(first)


def _try(action) -> None:
    try:
        action()
    except psutil.Error:
        return
