"""The process of a gang's rank that has started MPI, and runs one program after the other itself.

It cannot fork for them, as `warm` does, since MPI does not survive a fork. So a program is run in this very process,
with a communicator of its job's own as `MPI.COMM_WORLD`; what it leaves changed is put back (`state`), or told: the
gang ends then, and another takes the next job. The worker beside it (`gang`) hands it the programs.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import marshal
import os
import signal
import socket
import sys
import time
import traceback
from collections import deque
from pathlib import Path

import program
from state import ProcessState
from surroundings import SIGNALS

HEAD = 8  # bytes that say how many follow
SPARED = 32  # communicators of jobs that are over: what was sent there late does not reach the next job
JOBS = 500  # of a gang: MPICH has 2048 communicators in all, and nobody can see how many a job has kept
AGED = f"it was the last of {JOBS} jobs"
FORKS = ("os.fork", "os.forkpty")


def send(line: socket.socket, message: dict, files: list[int] | None = None) -> None:
    """Send a message, with files."""
    text = marshal.dumps(message)  # json is a program's to change
    socket.send_fds(line, [len(text).to_bytes(HEAD, "big")], files or [])
    line.sendall(text)


def receive(line: socket.socket) -> tuple[dict, list[int]]:
    """Wait for a message and its files; EOFError at the end."""
    head, files, _, _ = socket.recv_fds(line, HEAD, 3, socket.MSG_CMSG_CLOEXEC)
    size, text = int.from_bytes(head, "big"), bytearray()
    while head and len(text) < size:
        more = line.recv(size - len(text))
        if not more:
            break
        text += more
    if not head or len(text) < size:
        raise EOFError
    return marshal.loads(text), files


class Member:
    """One rank: `world` is that of the gang, which no program is given."""

    def __init__(self, modules: list[str], own: tuple[str, ...]) -> None:
        for module in modules:
            importlib.import_module(module)
        from mpi4py import MPI

        self._mpi, self._world, self._jobs = MPI, MPI.COMM_WORLD, 0
        self._world.alltoall([0] * self._world.Get_size())  # connections are made once, not by the first program
        self._given = {name: getattr(MPI, name) for name in ("COMM_WORLD", "Finalize", "Is_finalized")}

        class World(MPI.Intracomm):
            """A job's world: an abort ends this rank, and the worker beside it the others."""

            def Abort(self, errorcode: int = 0) -> None:  # MPI's name
                _flush()
                os._exit(errorcode & 0xFF or 1)

        self._kind, self._comms = World, deque([self._world.Dup() for _ in range(SPARED)])
        self._streams = program.Streams()
        _close_files()
        self._streams.open()
        for name in own:
            sys.modules.pop(name, None)  # programs may have modules of these names
        sys.addaudithook(_forbid)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._state = ProcessState()

    def begin(self) -> str | None:
        """A communicator for the next job; what the one before has left of its own, or None."""
        self._comms.append(self._kind(self._world.Dup()))
        oldest = self._comms.popleft()
        self._jobs += 1
        why = None if self._jobs < JOBS else AGED
        if oldest.Iprobe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG):
            why = "one before it has left messages that nobody took"
        oldest.Free()
        return why

    def run(self, request: dict, files: list[int]) -> tuple[int, str | None]:
        """Run a program; its exit code, and what it has left changed, or None."""
        ended = []
        mpi = self._mpi
        mpi.COMM_WORLD, mpi.Finalize, mpi.Is_finalized = self._comms[-1], lambda: ended.append(1), lambda: bool(ended)
        for target, file in enumerate(files):
            os.dup2(file, target)
            os.close(file)
        here, umask = Path.cwd(), os.umask(request["umask"])
        environment = dict(os.environ)
        os.environ.clear()
        os.environ.update(request["environment"])
        for number in (*SIGNALS, signal.SIGTERM):
            if number not in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
        self._streams.open(request["flags"])
        importlib.invalidate_caches()
        code, why = 1, None
        try:
            os.chdir(request["cwd"])
        except OSError:  # it has been removed
            traceback.print_exc()
        else:
            code = program.main(request["arguments"], request["flags"])
        try:
            why = self._state.restore()
        except BaseException as error:
            why = f"it could not be cleared away: {type(error).__name__}: {error}"
        code = program.flushed(code)
        ctypes.CDLL(None).fflush(None)
        for name, value in self._given.items():
            setattr(mpi, name, value)
        why = why or self._state.changed()
        os.chdir(here)
        os.umask(umask)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        _close_files()
        return code & 0xFF, why

    def finish(self) -> None:
        """End, as an MPI program does."""
        with contextlib.suppress(Exception):
            self._given["Finalize"]()
        os._exit(0)


def _forbid(event: str, _: tuple) -> None:
    if event in FORKS:
        raise RuntimeError("a program in a gang cannot fork, since MPI has started: leave `warm` out of its rule")


def _flush() -> None:
    program.flushed(0)
    ctypes.CDLL(None).fflush(None)


def _close_files() -> None:
    """Let go of a program's standard files."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.close(null)


def serve(line: socket.socket, modules: list[str], own: tuple[str, ...]) -> None:
    """Be a member until the worker is gone; never returns."""
    code = 1
    try:
        member = Member(modules, own)
        sys.excepthook = sys.__excepthook__  # that of `ranks` aborts: here the worker ends the gang, and says why
        send(line, {"ready": True})
        why = None
        while True:
            message, files = receive(line)
            if "begin" in message:
                why = member.begin()
            elif "end" in message:
                member.finish()
            else:
                code, left = member.run(message["program"], files)
                send(line, {"code": code, "left": left or why})
    except EOFError:
        code = 0
    except BaseException:
        traceback.print_exc()
        _flush()
    os._exit(code)
