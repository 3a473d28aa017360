"""Calls of Python functions: a process of the worker runs one after the other, and stays for the next.

So a call costs two messages instead of a fork and a start of Python. The process is a fork of the worker, which has
the warm modules imported; what a call leaves in it (caches, modules, variables, but not the folder that it has gone to,
its umask and `sys.path`) the next one meets, as in a program that calls a function in a loop. It ends with its worker,
also where that is killed: nobody is told that a call is lost while it goes on. A call that ends it is lost, and the
next one gets a new process.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import program
import values
from line import read
from memory import Memory
from processes import KEPT
from surroundings import SIGNALS
from usage import Usage
from warm import OWN

HEAD = 8  # bytes that say how many follow
PR_SET_PDEATHSIG = 1
KILLED = 128 + signal.SIGKILL


class Functions:
    """The process that runs calls, as long as these want the same folder, output and environment.

    Parameters
    ----------
    selector
        The worker's.
    hear
        Called where the process says something.
    """

    def __init__(self, selector: selectors.BaseSelector, hear: Callable[[], None]) -> None:
        self.pid, self._line, self._wants = 0, None, None
        self._selector, self._hear, self._killed = selector, hear, False

    def call(self, wanted: dict, environment: dict[bytes, bytes]) -> None:
        """Hand a call to the process."""
        wants = wanted["workdir"], wanted["folder"], environment
        if self._line is None or self._killed or wants != self._wants:
            self.close()
            self._begin(wants)
        call = json.dumps({"function": wanted["function"], "arguments": wanted["arguments"]})
        try:
            _send(self._line, call)
        except OSError:  # the process has ended since its last call
            self.close()
            self._begin(wants)
            _send(self._line, call)

    def answer(self, *, over: bool = False) -> dict | None:
        """What the process says of its call; None where it has ended without a word: where it is `over`, that may not
        be seen by the line, whose other end is open in what it has forked.
        """
        try:
            if over and self._line is not None:
                self._line.setblocking(False)
            return None if self._line is None else _receive(self._line)
        except (EOFError, OSError):
            self._hang_up()
            return None

    def kill(self) -> None:
        """End the process at once; what it has said before can still be read, and no other call goes to it."""
        os.kill(self.pid, signal.SIGKILL)
        self._killed = True

    def reaped(self, pid: int) -> None:
        """A process of the worker has ended."""
        KEPT.discard(pid)
        if pid == self.pid:
            self.pid = 0
            self._hang_up()

    def close(self) -> None:
        """End the process."""
        self._hang_up()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            KEPT.discard(self.pid)
            self.pid = 0

    def _hang_up(self) -> None:
        if self._line is not None:
            self._selector.unregister(self._line)
            self._line.close()
            self._line = None

    def _begin(self, wants: tuple) -> None:
        own, theirs = socket.socketpair()
        worker, self.pid = os.getpid(), os.fork()
        if self.pid == 0:
            try:
                _die_with(worker)
                for key in [*self._selector.get_map().values()]:  # the worker's, whose end would not be seen
                    os.close(key.fd)
                own.close()
                self._selector.close()
                _serve(theirs, *wants)
            finally:
                os._exit(1)
        theirs.close()
        KEPT.add(self.pid)
        self._line, self._wants, self._killed = own, wants, False
        self._selector.register(own, selectors.EVENT_READ, self._hear)


class RunningCall:
    """The call that runs, as a worker sees its job."""

    sampler = ended_by = code = None
    noted = float("inf")  # nothing is written down of it

    def __init__(self, wanted: dict, functions: Functions) -> None:
        self.uid, self._functions = wanted["uid"], functions
        self.memory = Memory(wanted["memory_mb"])
        self.deadline = time.monotonic() + wanted["timeout"] if wanted["timeout"] else float("inf")
        self.usage, self.over = Usage(), False
        self._said: dict = {}

    @property
    def pid(self) -> int:
        """The process that runs it."""
        return self._functions.pid

    def hear(self, *, over: bool = False) -> None:
        """Its process says something, or has ended, which is told by `ended`."""
        said = self._functions.answer(over=over)
        if said is not None:
            self._said, self.code, self.over = said, int("raised" in said), True

    def ended(self, code: int) -> None:
        """Its process has ended: the call with it, unless it was over by then."""
        self.hear(over=True)
        if not self.over:
            self.code, self.over = KILLED if self.ended_by else None, True
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._said = {} if self.ended_by else {"lost": f"the process that ran it has ended ({how})"}

    def end(self, why: str, spared: object = None) -> None:
        """End it at once: a function cannot be asked to."""
        if self.pid and not self.over:
            self.ended_by, self.deadline = self.ended_by or why, float("inf")
            self._functions.kill()

    kill = end

    def told(self) -> dict:
        """Of its end: the exit code, what ended it, and what the function has given back."""
        why, code = self.ended_by or self._said.get("lost"), self.code
        if code is None and self.memory.kernel_killed():
            why, code = "kernel", KILLED
        said = {name: self._said[name] for name in ("value", "raised", "cpu") if name in self._said}
        return {"code": code, "why": why, "peak": self.memory.peak or None, **said}


class Beginning:
    """How each call begins, whatever the last one has changed: its folder; umask and `sys.path` as the functions'
    modules left them when they were read.
    """

    def __init__(self, workdir: str) -> None:
        self._workdir = workdir
        self.note()

    def note(self) -> None:
        """Keep how it is now."""
        self._path, self._umask = [*sys.path], os.umask(0o77)
        os.umask(self._umask)

    def again(self) -> None:
        """Make it so."""
        os.umask(self._umask)
        sys.path = [*self._path]
        os.chdir(self._workdir)


def _serve(line: socket.socket, workdir: str, folder: str | None, environment: dict[bytes, bytes]) -> None:
    """Run calls until the worker hangs up; never returns."""
    signal.set_wakeup_fd(-1)
    for number in {*SIGNALS, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2} - {signal.SIGPIPE, signal.SIGXFSZ}:
        signal.signal(number, signal.SIG_DFL)
    os.umask(int(environment.get(b"DEEPRC_UMASK", b"77"), 8))
    if folder is not None:
        output = os.open(Path(folder, "out.0"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
    os.environb.clear()
    os.environb.update(environment)
    program.as_at_start()
    sys.path.insert(0, workdir)
    for name in OWN:
        sys.modules.pop(name, None)  # a function's module may have the name of one of ours
    known: dict[str, Callable] = {}
    own, beginning = os.getpid(), Beginning(workdir)
    with contextlib.suppress(EOFError, OSError):
        while True:
            wanted = _receive(line)
            answer = _called(known, wanted["function"], wanted["arguments"], beginning)
            if os.getpid() != own:
                break  # what a function has forked does not answer for it
            _send(line, answer)
    os._exit(0)


def _called(known: dict[str, Callable], name: str, arguments: list, beginning: Beginning) -> str:
    """Call, and say how that went."""
    before = time.process_time()
    try:
        beginning.again()
        if name not in known:
            module, _, inside = name.partition(":")
            known[name] = attrgetter(inside)(importlib.import_module(module))
            beginning.note()
        value = known[name](*arguments)
        return values.text({"value": value, "cpu": round(time.process_time() - before, 6)})
    except BaseException as error:  # SystemExit, too: it is the call's, and not the end of the process
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        raised = "".join(traceback.format_exception_only(error)).strip()
        return json.dumps({"raised": raised, "cpu": round(time.process_time() - before, 6)})
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()


def _die_with(worker: int) -> None:
    """End when the worker does, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != worker:
        os._exit(1)


def _send(line: socket.socket, message: str) -> None:
    text = message.encode()
    line.sendall(len(text).to_bytes(HEAD, "big") + text)


def _receive(line: socket.socket) -> dict:
    return json.loads(read(line, int.from_bytes(read(line, HEAD), "big")))
