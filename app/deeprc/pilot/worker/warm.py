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
import secrets
import shlex
import signal
import socket
import stat
import sys
import tempfile
import traceback
import types
from pathlib import Path

from surroundings import SIGNALS

NAMES = ("python", "python3", f"python3.{sys.version_info[1]}")
OWN = ("memory", "processes", "sampling", "surroundings", "warm")  # the worker's modules
LIMIT = 16 * 1024 * 1024  # bytes of a request: arguments and environment


class Warm:
    """The imported modules, and the programs that run as forks of this process."""

    def __init__(self, modules: list[str]) -> None:
        self.listener: socket.socket | None = None
        self._programs: dict[int, socket.socket] = {}
        self._modules = modules
        if not modules:
            return
        for module in modules:
            importlib.import_module(module)
        self._key = secrets.token_hex(16)
        self.listener = socket.socket(socket.AF_UNIX)
        self._address = f"deeprc-warm-{self._key}"
        self.listener.bind("\0" + self._address)
        self.listener.listen()
        self._folder = Path(tempfile.mkdtemp(prefix="warm-", dir=Path.cwd()))
        shim = Path(__file__).with_name("shim.py")
        text = f"#!{sys.executable} -IS\n{shim.read_text()}"
        if len(sys.executable) > 100 or " " in sys.executable:  # more than the kernel takes; a shell loses variables
            text = f'#!/bin/sh\nexec {shlex.join([sys.executable, "-IS", str(shim)])} "$@"\n'
        for name in NAMES:
            path = self._folder / name
            path.write_text(text)
            path.chmod(stat.S_IRWXU)

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

    def accept(self) -> None:
        """Fork for the program that asks."""
        program, _ = self.listener.accept()
        try:
            request, files = _receive(program)
        except (OSError, ValueError):
            program.close()
            return
        pid = os.fork()
        if pid == 0:
            self.listener.close()
            program.close()
            _become(request, files)
        for file in files:
            os.close(file)
        program.setblocking(False)
        self._programs[pid] = program

    def look(self) -> None:
        """Pass on the signals that a program's `python` got, and end the program where that was killed."""
        for pid, program in self._programs.items():
            signals = None
            with contextlib.suppress(BlockingIOError):
                signals = program.recv(16)
            if signals is not None:
                for number in signals or [signal.SIGKILL]:
                    os.kill(pid, number)  # not reaped yet, so the number is still its own

    def ended(self, pid: int, code: int) -> None:
        """Tell a program's `python` its exit code."""
        program = self._programs.pop(pid, None)
        if program is not None:
            with contextlib.suppress(OSError):
                program.send(str(code).encode())
            program.close()

    def clear(self) -> None:
        """Forget the programs: their job is over, and they with it."""
        for program in self._programs.values():
            program.close()
        self._programs.clear()


def _receive(program: socket.socket) -> tuple[dict, list[int]]:
    data, files, _, _ = socket.recv_fds(program, 65536, 3)
    size, _, text = data.partition(b"\n")
    size = int(size)
    if size > LIMIT or len(files) != 3:
        raise ValueError("not a request")
    while len(text) < size:
        more = program.recv(65536)
        if not more:
            raise ValueError("half a request")
        text += more
    return json.loads(text), files


def _become(request: dict, files: list[int]) -> None:
    """Be the program; never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in {*SIGNALS, signal.SIGTERM} - {signal.SIGPIPE, signal.SIGXFSZ}:  # those Python ignores
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, file in enumerate(files):
            os.dup2(file, target)
            os.close(file)
        for name in OWN:
            sys.modules.pop(name, None)  # the program may have modules of these names
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        code = _run(request["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code == 1 and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        _finish(code)


def _run(arguments: list[str]) -> int:
    import runpy

    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # else every program would draw the same numbers
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    kind, *rest = arguments
    if kind == "-m":
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.path.insert(0, str(Path(kind).resolve().parent))
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")
    return 0


def _finish(code: int) -> None:
    """What Python does at its end, and then the end itself: the worker's own cleaning up is not the program's."""
    import atexit
    import threading

    with contextlib.suppress(BaseException):
        threading._shutdown()
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)
