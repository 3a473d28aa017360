"""Finding and ending the processes of a pilot."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import psutil

from deeprc.pilot import curve

MARK = "DEEPRC_PILOT"  # the environment variable that holds a pilot's mark
TASK = "RP_TASK_ID"  # the one that RADICAL-Pilot gives to tasks
SESSION = "session"  # the file in a pilot's folder that names its broker's session
PATIENCE = 10.0  # seconds that a batch system may take to end a pilot's job


def members(mark: str, session: int | None) -> list[psutil.Process]:
    """The other running processes of a pilot.

    No one sign finds them all: a process that renames itself (RADICAL-Pilot's components do) writes over the
    environment that holds MARK=`mark`, and a task may begin a session of its own. So these are the processes that carry
    the mark, those of the `session` that the broker leads, and what these have started.
    """
    alive: dict[int, psutil.Process] = {}
    parents: dict[int, int] = {}
    found: set[int] = set()
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                alive[process.pid], parents[process.pid] = process, process.ppid()
            if os.getsid(process.pid) == session or process.environ().get(MARK) == mark:
                found.add(process.pid)
        except (psutil.Error, OSError):  # it has just ended, or is another user's
            continue
    new = found
    while new := {pid for pid, parent in parents.items() if parent in new} - found:
        found |= new
    return [alive[pid] for pid in found - {os.getpid()}]


def sweep(mark: str, session: int | None, *, grace: float = 1.0) -> int:
    """End every other process of a pilot (see `members`); return how many there were.

    Those of tasks get SIGTERM, and SIGKILL after `grace` seconds. RADICAL-Pilot's own get SIGKILL: there is nothing
    that they have to bring to an end, and three dozen of them trying to would take seconds from everybody.
    """
    first = left = members(mark, session)
    for _ in range(5):  # killed shells may just have started something: look again
        if not left:
            break
        for process in left:
            _end(process)
        for process in (alive := _await(left, grace)):
            _end(process, kill=True)
        _await(alive, grace)
        left = members(mark, session)
    return len(first)


def note_session(folder: Path, session: int) -> None:
    """Write down the session that the broker of the pilot in `folder` leads, for `sweep_below`."""
    (folder / SESSION).write_text(f"{session}\n")


def sweep_below(folder: Path) -> int:
    """End what is left of the pilots in a folder, whose broker and client were killed; return how many there were.

    Their sessions are those that were written down, and no other: a process that a pilot started may stand in one that
    it shares with its user's shell, or with the machine's first process.
    """
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(
            psutil.Error, OSError, KeyError
        ):  # it has just ended, is another user's, or no pilot's
            environment = process.environ()
            pilot = Path(environment[curve.VARIABLE]).parent
            if pilot.is_relative_to(folder):
                session = os.getsid(process.pid)
                found.add((environment[MARK], session if session == _noted(pilot) else None))
    return sum(sweep(*each) for each in found)


def _noted(pilot: Path) -> int | None:
    """The session of a pilot's broker, if it was written down."""
    with contextlib.suppress(OSError, ValueError):
        return int((pilot / SESSION).read_text())
    return None


def _await(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until they have ended; those that have not after so many seconds.

    One that its parent has not waited for has ended: `psutil.wait_procs` would wait until the machine's first process,
    which inherits it, gets round to that.
    """
    end = time.monotonic() + seconds
    while (processes := [each for each in processes if _runs(each)]) and time.monotonic() < end:
        time.sleep(0.01)
    return processes


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _end(process: psutil.Process, *, kill: bool = False) -> None:
    with contextlib.suppress(psutil.Error, OSError):  # it has just ended, as psutil tells it or /proc does
        if kill or TASK not in process.environ():
            process.kill()
        else:
            process.terminate()
