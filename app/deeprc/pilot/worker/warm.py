"""Programs that find their imports done: `python …` in a job becomes a fork of the worker.

The job's PATH begins with a folder that holds a `python` of our own (`shim.py`). It hands arguments, environment,
working directory and its three standard files to the worker, which forks; the child becomes the program. So a crash
or a leak of one program cannot touch the next, and any shell command works as it is, redirections too.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import selectors
import shlex
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import program
import startup
from local import listen, ours, peer
from processes import start
from surroundings import SIGNALS

NAMES = ("python", "python3", f"python3.{sys.version_info[1]}")
# The worker's modules.
OWN = (
    "calling", "functions", "gang", "line", "local", "member", "memory", "plain", "processes", "program", "running",
    "sampling", "startup", "state", "surroundings", "usage", "values", "warm",
)  # fmt: skip
LIMIT = 16 * 1024 * 1024  # bytes of a request: arguments and environment
HEAD = 8  # bytes that say how many follow
MOST = 4096  # bytes of the reason why a program does not run here
PATIENCE = 5.0  # seconds that a caller gets to say it
CALLERS = 128  # that are in the middle of it, at most


@dataclass
class Caller:
    """The `python` of a job: it asks for a program, and stands for that as long as it runs."""

    line: socket.socket
    deadline: float
    said: bytearray = field(default_factory=bytearray)
    files: list[int] = field(default_factory=list)
    pid: int = 0

    def request(self) -> dict | None:
        """What the caller asks for; None while its message is incomplete. Raises ValueError if it is not a request."""
        end = HEAD + int.from_bytes(self.said[:HEAD], "big")
        if len(self.said) < HEAD:
            return None
        if end > LIMIT or len(self.files) != 3:
            raise ValueError("not a request")
        if len(self.said) < end:
            return None
        request = json.loads(self.said[HEAD:end])
        del self.said[:end]  # signals may come after it
        return request

    def close(self) -> None:
        """Hang up. Its files are its program's."""
        self.line.close()
        for file in self.files:
            os.close(file)
        self.files.clear()


class Warm:
    """The imported modules, and the programs that run as forks of this process."""

    left: str | None = None  # of a job, what the next one must not meet
    born = os.environb.copy()  # before modules are imported, some of which set variables (scikit-learn: KMP_…)
    started = startup.read(os.environ)

    def __init__(self, modules: list[str]) -> None:
        self._asking: dict[socket.socket, Caller] = {}  # in the order that they called
        self._programs: dict[int, Caller] = {}
        self._modules, self._streams = modules, program.Streams()
        if not modules:
            return
        self._load(modules)
        self._folder = Path(tempfile.mkdtemp(prefix="warm-", dir=Path.cwd()))
        self._listener, self._address = listen(self._folder)
        shim = Path(__file__).with_name("shim.py")
        text = f"#!{sys.executable} -IS\n{shim.read_text()}"
        if len(sys.executable) > 100 or " " in sys.executable:  # more than the kernel takes; a shell loses variables
            text = f'#!/bin/sh\nexec {shlex.join([sys.executable, "-IS", str(shim)])} "$@"\n'
        for name in NAMES:
            path = self._folder / name
            path.write_text(text)
            path.chmod(stat.S_IRWXU)

    def _load(self, modules: list[str]) -> None:
        for module in modules:
            importlib.import_module(module)

    def start(self, argv: list[str], environment: dict[bytes, bytes], **where) -> int:
        """Start the command of a job; return the number of its process."""
        return start(argv, environment, **where)

    def finish(self) -> None:
        """The worker ends."""

    def attend(self, selector: selectors.BaseSelector) -> None:
        """Serve callers whenever `selector` says so."""
        self._selector = selector
        if self._modules:
            selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def programs(self) -> list[int]:
        """The numbers of the programs that run."""
        return [*self._programs]

    @property
    def variables(self) -> dict[str, str]:
        """Those by which a job's `python` finds this worker."""
        if not self._modules:
            return {}
        return {
            "DEEPRC_WARM": self._address,
            "DEEPRC_WARM_PATH": str(self._folder),
            "DEEPRC_WARM_PYTHON": sys.executable,
        }

    @property
    def deadline(self) -> float:
        """When a caller that has not said what it wants is late."""
        return next((caller.deadline for caller in self._asking.values()), float("inf"))

    def hang_up_on_the_late(self) -> None:
        """They may become the real Python."""
        while self.deadline <= time.monotonic():
            self._hang_up(next(iter(self._asking.values())))

    def ended(self, pid: int, code: int) -> None:
        """Tell a program's `python` its exit code."""
        caller = self._programs.pop(pid, None)
        if caller is not None:
            with contextlib.suppress(OSError):
                caller.line.send(str(code).encode())
            self._forget(caller)

    def clear(self) -> None:
        """Forget the programs and those who ask for one: their job is over, and they with it."""
        for caller in [*self._asking.values(), *self._programs.values()]:
            self._forget(caller)
        self._programs.clear()
        self._asking.clear()

    def _accept(self) -> None:
        try:
            line, _ = self._listener.accept()
        except OSError:  # it has hung up, or too many files are open
            if self._asking:
                self._hang_up(next(iter(self._asking.values())))
            else:
                time.sleep(0.05)
            return
        if not ours(line):
            line.close()
            return
        line.setblocking(False)
        caller = self._asking[line] = Caller(line, time.monotonic() + PATIENCE)
        self._selector.register(line, selectors.EVENT_READ, partial(self._hear, caller))
        if len(self._asking) > CALLERS:
            self._hang_up(next(iter(self._asking.values())))

    def _hear(self, caller: Caller) -> None:
        """What a caller asks for; fork for it once it has said all."""
        if caller.line not in self._asking:  # hung up on just now
            return
        try:
            data, files, _, _ = socket.recv_fds(caller.line, 65536, 3, socket.MSG_CMSG_CLOEXEC)
            caller.files += files
            caller.said += data
            request = caller.request()
            if request is not None:
                self._fork(caller, request)
            elif not data:
                self._hang_up(caller)
        except BlockingIOError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            self._hang_up(caller, str(error))

    def _fork(self, caller: Caller, request: dict) -> None:
        self._read(request)
        held = startup.held(peer(caller.line))
        pid = os.fork()
        if pid == 0:
            # The program's are its three files alone: another's pipe, held open here, would not end with that other.
            others = [key.fd for key in self._selector.get_map().values()]
            others += [file for other in self._asking.values() if other is not caller for file in other.files]
            for file in others:
                os.close(file)
            self._selector.close()
            _become(request, caller.files, held, self._streams)
        self._takes(caller, pid)

    def _read(self, request: dict) -> None:
        """Take the options from a program's words; ValueError where it is to start otherwise than this process did."""
        request["flags"], request["arguments"] = startup.options(request["arguments"])
        if other := startup.differences(startup.read(request["environment"]), self.started):
            raise ValueError(other)

    def _takes(self, caller: Caller, pid: int) -> None:
        """Have a caller stand for the process of its program."""
        for file in caller.files:
            os.close(file)
        caller.files.clear()
        caller.pid = pid
        self._programs[pid] = self._asking.pop(caller.line)
        self._selector.modify(caller.line, selectors.EVENT_READ, partial(self._pass_on, caller))
        self._signal(caller, caller.said)
        with contextlib.suppress(OSError):
            caller.line.send(b"\n")

    def _pass_on(self, caller: Caller) -> None:
        """Pass on the signals that a program's `python` got, and end the program where that was killed."""
        if caller.pid not in self._programs:
            return
        try:
            numbers = caller.line.recv(16)
        except BlockingIOError:
            return
        except OSError:
            numbers = b""
        if not numbers:
            self._selector.unregister(caller.line)
        self._signal(caller, numbers or [signal.SIGKILL])

    def _signal(self, caller: Caller, numbers: Iterable[int]) -> None:
        for number in numbers:
            with contextlib.suppress(OSError):  # no such signal
                os.kill(caller.pid, number)  # not reaped yet, so the number is still its own

    def _hang_up(self, caller: Caller, why: str = "") -> None:
        """It becomes the real Python, which is told why."""
        del self._asking[caller.line]
        with contextlib.suppress(OSError):
            caller.line.send(why.encode(errors="replace")[:MOST])
        self._forget(caller)

    def _forget(self, caller: Caller) -> None:
        with contextlib.suppress(KeyError):  # it has hung up itself
            self._selector.unregister(caller.line)
        caller.close()


def _become(request: dict, files: list[int], held: startup.Held, streams: program.Streams) -> None:
    """Be the program; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        own = {signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
        for number in {*SIGNALS, *own} - startup.ALWAYS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        startup.take(held)
        for target, file in enumerate(files):
            os.dup2(file, target)
            os.close(file)
        for name in OWN:
            sys.modules.pop(name, None)  # the program may have modules of these names
        os.chdir(request["cwd"])
        os.umask(request["umask"])
        os.environ.clear()
        os.environ.update(request["environment"])
        streams.open(request["flags"])
        code = program.main(request["arguments"], request["flags"])
    finally:
        _finish(code)


def _finish(code: int) -> None:
    """What Python does at its end, and then the end itself: the worker's own cleaning up is not the program's."""
    import atexit
    import threading

    with contextlib.suppress(BaseException):
        threading._shutdown()
        atexit._run_exitfuncs()
    os._exit(program.flushed(code) & 0xFF)
