"""What a program leaves changed in the process that it ran in: put back, or told, so that no other program meets it.

A member of a gang (`member`) runs programs in its own process, since one that has started MPI must not fork.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import locale
import os
import resource
import signal
import sys
import sysconfig
import threading
import types
import warnings
import weakref
from collections.abc import Mapping
from importlib.machinery import ExtensionFileLoader
from pathlib import Path

STANDARD = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
GROWN = 256  # MB that a process may hold more than before its first program
LIMITS = [value for name, value in vars(resource).items() if name.startswith("RLIMIT_")]
HOOKS = ("excepthook", "displayhook", "unraisablehook", "breakpointhook", "dont_write_bytecode", "tracebacklimit")
CHANGEABLE = 1 << 9  # of a type's flags: its names can be bound anew
PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessState:
    """A process as it was when no program had run in it."""

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()  # what is here stays: later collections look at what programs make
        atexit._clear()  # at a program's end, what it has registered is run, and nothing else
        for info in weakref.finalize._registry.values():
            info.atexit = False
        weakref.finalize._registered_with_atexit = True  # they are run by `restore`
        self.modules = dict(sys.modules)
        self._names, self._standard, self._classes = {}, {}, {}
        for name, module in self.modules.items():
            if _is_standard(module):  # it changes much of its own, but no function or class
                self._standard[name] = {each: it for each, it in vars(module).items() if callable(it)}
                kinds = [it for it in vars(module).values() if isinstance(it, type) and it.__flags__ & CHANGEABLE]
                self._classes |= {kind: dict(vars(kind)) for kind in kinds}
            else:
                self._names[name] = dict(vars(module))
        self._lists = [(each, [*each]) for each in (sys.path, sys.meta_path, sys.path_hooks, warnings.filters)]
        self._builtins = dict(vars(sys.modules["builtins"]))
        self._hooks = {name: getattr(sys, name, None) for name in HOOKS}
        self._signals = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._threads = {*sys._current_frames()}
        self._fixed = self._look()
        self._files = _files()
        self._memory = _memory()
        self._recursion = sys.getrecursionlimit()

    def restore(self) -> str | None:
        """Put back what can be; what is changed for good, in words, or None."""
        self._end_threads()
        self._end_programs()
        for _ in weakref.finalize._registry.copy():
            weakref.finalize._exitfunc()
            break
        weakref.finalize._shutdown = False
        atexit._run_exitfuncs()
        if util := sys.modules.get("multiprocessing.util"):
            util._exit_function()
            util._exiting = False
        if foreign := self._foreign():
            return foreign
        self._drop_modules()
        for name, before in self._standard.items():
            vars(self.modules[name]).update(before)
        for kind, before in self._classes.items():
            if not _same(vars(kind), before) and not _put_back(kind, before):
                return f"it has changed the class {kind.__module__}.{kind.__qualname__}"
        for each, before in self._lists:
            each[:] = before
        warnings._filters_mutated()
        if vars(sys.modules["builtins"]) != self._builtins:
            return "it has changed builtins"
        for name, value in self._hooks.items():
            setattr(sys, name, value)
        sys.settrace(None), sys.setprofile(None), sys.setrecursionlimit(self._recursion)
        for kind in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(kind, 0)
        for number, handler in self._signals.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        self._calm_logging()
        gc.enable()
        gc.collect()
        return None

    def changed(self) -> str | None:
        """What is changed all the same, in words, or None."""
        for name, before in self._names.items():
            if _differs(vars(self.modules[name]), before):
                return f"it has changed the module {name}"
        if left := {*sys._current_frames()} - self._threads:
            return f"it has left {len(left)} threads"
        if left := {each: path for each, path in _files().items() if self._files.get(each) != path}:
            return f"it has left files open: {', '.join(sorted(left.values()))}"
        for what, now, before in zip(("locale", "limits", "cores", "priority"), self._look(), self._fixed, strict=True):
            if now != before:
                return f"it has changed its {what}"
        grown = _memory() - self._memory
        return f"it has left {grown} MB of memory" if grown > GROWN else None

    def _look(self) -> tuple:
        limits = [resource.getrlimit(each) for each in LIMITS]
        return locale.setlocale(locale.LC_ALL), limits, os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)

    def _end_threads(self) -> None:
        """Wait for threads as Python does at its end."""
        pool = sys.modules.get("concurrent.futures.thread")
        if pool is not None and pool._threads_queues:
            pool._python_exit()
            pool._shutdown = False
        for thread in threading.enumerate():
            if thread.ident not in self._threads and not thread.daemon:
                thread.join()

    def _end_programs(self) -> None:
        threads = Path("/proc/self/task").iterdir()
        found = [child for each in threads for child in (each / "children").read_text().split()]
        for pid in map(int, found):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _foreign(self) -> str | None:
        """What the program has imported or replaced that cannot be undone, in words, or None."""
        sys.modules["__main__"] = self.modules["__main__"]
        for name, module in sys.modules.items():
            if self.modules.get(name, module) is not module:
                return f"it has replaced the module {name}"
            loader = getattr(getattr(module, "__spec__", None), "loader", None)
            if name not in self.modules and isinstance(loader, ExtensionFileLoader) and not _is_standard(module):
                return f"it has imported {name}, which cannot be undone: name it in `warm`"
        return None

    def _drop_modules(self) -> None:
        """Forget modules that the program has imported, but for the standard library."""
        for name in [name for name in sys.modules if name not in self.modules]:
            module = sys.modules[name]
            if _is_standard(module):
                continue
            del sys.modules[name]
            parent, _, leaf = name.rpartition(".")
            if vars(self.modules.get(parent, module)).get(leaf) is module:
                delattr(self.modules[parent], leaf)
        sys.modules.update({name: module for name, module in self.modules.items() if name not in sys.modules})

    def _calm_logging(self) -> None:
        logging = sys.modules.get("logging")
        if logging is None:
            return
        logging.shutdown()
        for logger in [logging.root, *logging.root.manager.loggerDict.values()]:
            if isinstance(logger, logging.Logger):
                logger.handlers.clear(), logger.filters.clear()
                logger.setLevel(logging.WARNING if logger is logging.root else logging.NOTSET)
                logger.propagate, logger.disabled = True, False
        logging.disable(logging.NOTSET)


def _is_standard(module: object) -> bool:
    """Whether a module belongs to Python itself."""
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if origin in ("built-in", "frozen"):
        return True
    return bool(origin) and origin.startswith(STANDARD) and "-packages" + os.sep not in origin


def _differs(now: dict, before: dict) -> bool:
    """Whether names were bound anew. Those that were added go: what a module finds when asked, it finds again."""
    if len(now) != len(before):
        for name in now.keys() - before.keys():
            if not isinstance(now[name], types.ModuleType):
                del now[name]
    missing = object()
    return not _same(now, before) and any(now.get(name, missing) is not value for name, value in before.items())


def _same(now: Mapping, before: Mapping) -> bool:
    """Whether names and values are equal, where that can be said at once."""
    with contextlib.suppress(Exception):  # values that cannot be compared are looked at one by one
        return now == before
    return False


def _put_back(kind: type, before: Mapping) -> bool:
    """Give a class the names that it had. Those that Python adds when asked (`__annotations__`) stay."""
    try:
        for name in [name for name in vars(kind) if name not in before and not name.startswith("__")]:
            delattr(kind, name)
        for name, value in before.items():
            if vars(kind).get(name) is not value:
                setattr(kind, name, value)
    except (AttributeError, TypeError):
        return False
    return True


def _files() -> dict[int, str]:
    """The open files and what they are, but for the standard ones, and this look itself."""
    found = {}
    for path in [*Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):
            if int(path.name) > 2:
                found[int(path.name)] = str(path.readlink())
    return found


def _memory() -> int:
    """MB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE // 10**6
