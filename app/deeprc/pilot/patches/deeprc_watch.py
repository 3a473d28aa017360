"""Notices that a part of RADICAL-Pilot has ended, which RADICAL-Pilot does not: messages for it wait for ever, and so
would the run. Here the process that has started it ends with a sentence: the agent, and the pilot with it, or the
client's broker, which tells it (and puts its own `end` in place).
"""

import os
import sys
import threading
import time
import traceback
from pathlib import Path

LOOK = 1.0  # seconds between two looks
PATIENCE = 3.0  # seconds after which an end is none of a pilot that is just being closed

_watched = {}  # the names of processes, by their numbers


def end(words):
    """End this process with these last words."""
    print(words, file=sys.stderr, flush=True)
    os._exit(1)


def vital(work):
    """`work` of a bridge or a server, whose error ends the process instead of its thread only; not so at its end."""

    def work_or_end(self):
        try:
            work(self)
        except Exception as error:
            if self._term.is_set():
                return
            traceback.print_exc()
            end(f"{self.uid} of RADICAL-Pilot cannot go on: {type(error).__name__}: {error}")

    return work_or_end


def watch(name, pid):
    """Be ended by the end of a process, until `forget` is called."""
    first = not _watched
    _watched[pid] = name
    if first:
        threading.Thread(target=_look, daemon=True).start()


def forget():
    """Let all of them end."""
    _watched.clear()


def _look():
    while _watched:
        time.sleep(LOOK)
        if any(not alive(pid) for pid in [*_watched]):
            time.sleep(PATIENCE)
            for name in [name for pid, name in [*_watched.items()] if not alive(pid)][:1]:
                forget()
                end(f"{name} of RADICAL-Pilot has ended")


def alive(pid):
    """Whether a process runs; one that has ended may be a zombie for ever where nobody waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
