"""Which process holds something, so that it is known later whether that lives: on this machine, or on another."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Holder:
    """A process that holds something, and whether it still runs.

    Attributes
    ----------
    pid, started
        The process and when it began, in clock ticks since the machine's start: a number that was given anew to
        another process is not taken for it.
    boot, namespace
        The machine's start, and the namespace that `pid` counts in (a container has its own).
    host, machine
        The machine's name and id (`/etc/machine-id`; empty where it has none).
    since, command
        When the run began, and its command, both for messages.
    """

    pid: int
    started: int
    boot: str
    namespace: str
    host: str
    machine: str
    since: str
    command: str

    @classmethod
    def me(cls) -> Holder:
        """This process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Holder:
        """A process of this machine, which this one has started, or is."""
        return cls(
            pid,
            began(pid) or 0,
            _line("/proc/sys/kernel/random/boot_id"),
            _namespace(),
            socket.gethostname(),
            _line("/etc/machine-id"),
            time.strftime("%Y-%m-%d %H:%M:%S"),
            shlex.join(sys.argv),
        )

    @property
    def here(self) -> bool:
        """Whether this machine can tell if it lives: the same start of the same machine, or a later one."""
        me = Holder.me()
        if self.boot == me.boot:
            return (self.host, self.namespace) == (me.host, me.namespace)
        return bool(self.machine) and (self.host, self.machine) == (me.host, me.machine)

    @property
    def lives(self) -> bool:
        """Whether it still runs, as far as this machine can tell; elsewhere it may."""
        if not self.here:
            return True
        return self.boot == Holder.me().boot and began(self.pid) == self.started


def began(pid: int) -> int | None:
    """When a process began, in clock ticks since the machine's start; None where there is none, or only its remains."""
    words = _line(f"/proc/{pid}/stat").rpartition(")")[2].split()  # its name, in brackets, may hold anything
    return int(words[19]) if words and words[0] not in "ZX" else None


def _namespace() -> str:
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def _line(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""
