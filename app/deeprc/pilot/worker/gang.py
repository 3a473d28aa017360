"""A worker that is one rank of a gang: the programs of its jobs are run by a process that has started MPI (`member`).

The member is forked off before MPI starts, once for the life of the gang. Everything else of a job (its shell, its
output, its end) is this process's, as for a job of one rank.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import member
import startup
from local import peer
from plain import PlainCommand, plain
from processes import KEPT, start
from warm import NAMES, OWN, Caller, Warm

FINALIZED = 2.0  # seconds that the member gets to end as an MPI program does


class WarmRank(Warm):
    """The member, and those who ask it for programs: one at a time, another one becomes the real Python.

    Attributes
    ----------
    left
        Why the gang has to end with this job, or None.
    ended_job
        Is told the exit code of a job that the member runs without a shell.
    """

    ended_job: Callable[[int], None]

    def __init__(self, modules: list[str]) -> None:
        self.left: str | None = None
        self._pythons: dict[bytes, bool] = {}
        self._held = startup.held()
        self._runs: str | None = None  # "job", "caller": whose program the member runs
        super().__init__(modules or ["mpi4py.MPI"])

    def _load(self, modules: list[str]) -> None:
        self._line, theirs = socket.socketpair()
        self._member = os.fork()
        if self._member == 0:
            self._line.close()
            member.serve(theirs, modules, OWN)
        theirs.close()
        KEPT.add(self._member)
        if own := os.environ.get("PMI_FD", "").strip():  # else the launcher would not see the member's end of it
            with contextlib.suppress(OSError, ValueError):
                os.close(int(own))
        try:
            member.receive(self._line)
        except (EOFError, ConnectionError):
            _, status = os.waitpid(self._member, 0)
            sys.exit(os.waitstatus_to_exitcode(status) or 1)

    def attend(self, selector) -> None:
        super().attend(selector)
        selector.register(self._line, 1, self._answered)  # EVENT_READ

    def begin(self) -> None:
        """A job begins, on all ranks."""
        self.left = None
        member.send(self._line, {"begin": True})

    def start(self, argv: list[str], environment: dict[bytes, bytes], **where) -> int:
        """Start the command of a job: by the member where it is one program of Python, else by its shell."""
        found = plain(argv)
        request = None if found is None else self._request(found, environment)
        if request is None:
            return start(argv, environment, **where)
        directory = where["workdir"] or str(Path.cwd())
        umask = int(environment.get(b"DEEPRC_UMASK", b"22"), 8)
        request |= {"cwd": directory, "umask": umask}
        try:
            files = _opened(found, Path(directory), where["output"], umask)
        except OSError:  # which a shell says in its own words
            return start(argv, environment, **where)
        try:
            member.send(self._line, {"program": request}, files)
        finally:
            for file in files:
                os.close(file)
        self._runs = "job"
        return self._member

    def ended(self, pid: int, code: int) -> None:
        if pid == self._member:
            self.left = self.left or "its process has ended"
            self._runs = None
        super().ended(pid, code)

    def clear(self) -> None:
        if self._runs == "caller":  # its shell has ended without it: it may wait for others for ever
            self.left = "a program of its was left running"
        super().clear()

    def finish(self) -> None:
        """End the member, as MPI wants it where all ranks are idle."""
        if self._runs is None and self.left is None:
            with contextlib.suppress(OSError):
                member.send(self._line, {"end": True})
                signal.signal(signal.SIGALRM, lambda *_: os.kill(self._member, signal.SIGKILL))
                signal.setitimer(signal.ITIMER_REAL, FINALIZED)
                os.waitpid(self._member, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
        KEPT.clear()

    def _answered(self) -> None:
        try:
            said, _ = member.receive(self._line)
        except (EOFError, OSError):  # it has ended, which is told by its process
            self._selector.unregister(self._line)
            return
        runs, self._runs = self._runs, None
        self.left = self.left or said["left"]
        if runs == "job":
            self.ended_job(said["code"])
        else:
            super().ended(self._member, said["code"])

    def _fork(self, caller: Caller, request: dict) -> None:
        if self._runs is not None:
            raise ValueError("another program of its rank, which still runs")
        self._read(request)
        if other := startup.otherwise(startup.held(peer(caller.line)), self._held):
            raise ValueError(other)
        member.send(self._line, {"program": request}, caller.files)
        self._runs = "caller"
        self._takes(caller, self._member)

    def _request(self, found: PlainCommand, environment: dict[bytes, bytes]) -> dict | None:
        """What the member is to run, where that is `python …` of this environment, as `shim.py` decides it."""
        name, *arguments = found.words
        if name not in NAMES or not self._is_own(environment.get(b"PATH", b"")):
            return None
        texts = {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}
        request = {"arguments": arguments, "environment": texts}
        try:
            self._read(request)
        except ValueError:  # told where its shell asks for it
            return None
        return request

    def _is_own(self, path: bytes) -> bool:
        """Whether the first Python there is this one."""
        if path not in self._pythons:
            folders = [each for each in os.fsdecode(path).split(os.pathsep) if each and each != str(self._folder)]
            python = shutil.which("python3", path=os.pathsep.join(folders)) or sys.executable
            self._pythons[path] = self._same(Path(python))
        return self._pythons[path]

    @staticmethod
    def _same(python: Path) -> bool:
        own = Path(sys.executable)
        return python.resolve() == own.resolve() and python.parent.samefile(own.parent)


def _opened(found: PlainCommand, directory: Path, output: Path, umask: int) -> list[int]:
    """The three standard files of a program, as its shell would open them."""
    before = os.umask(umask)
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        for target in (found.output, found.errors):
            name, adds = target or (output, True)
            how = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if adds else os.O_TRUNC)
            opened.append(os.open(directory / name, how, 0o666))
        if found.joined:
            os.dup2(opened[1], opened[2])
    except OSError:
        for file in opened:
            os.close(file)
        raise
    finally:
        os.umask(before)
    return opened
