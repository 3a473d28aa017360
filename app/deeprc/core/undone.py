"""What somebody else's code does to this process while it is imported, undone: a run that does not use it must not
work in another folder, under another umask, or tell its own words where JSON is awaited."""

from __future__ import annotations

import contextlib
import locale
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Whereabouts:
    """Whether the working directory was another one at the end of `stays`."""

    left: bool = False


@contextlib.contextmanager
def stays() -> Iterator[Whereabouts]:
    """Be in the same working directory afterwards; `left` of what is yielded then tells whether it was left."""
    place, here = (
        Whereabouts(),
        os.open(".", os.O_PATH | os.O_DIRECTORY),
    )  # by descriptor: it may be renamed, or unreadable
    try:
        yield place
    finally:
        try:
            place.left = not _there(here)
            if place.left:
                os.fchdir(here)
        finally:
            os.close(here)


@contextlib.contextmanager
def undone() -> Iterator[Whereabouts]:
    """As `stays`; and the environment, the umask, the locale and the handlers of signals are as they were, nothing new
    stands on the path of imports before what was there, and what is printed goes to standard error."""
    environment, path = dict(os.environ), list(sys.path)
    mask = os.umask(0o077)  # it is read by setting it
    os.umask(mask)
    words = locale.setlocale(locale.LC_ALL)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        with stays() as place, _told_apart():
            yield place
    finally:
        _restore(environment)
        sys.path[:] = [*path, *(each for each in sys.path if each not in path)]
        os.umask(mask)
        if locale.setlocale(locale.LC_ALL) != words:
            locale.setlocale(locale.LC_ALL, words)
        if threading.current_thread() is threading.main_thread():  # Python sets handlers in no other
            for number, handler in handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)


def _there(here: int) -> bool:
    try:
        return os.path.samestat(os.fstat(here), Path().stat())
    except OSError:
        return False


def _restore(environment: dict[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextlib.contextmanager
def _told_apart() -> Iterator[None]:
    """Standard output is standard error, also to C code and to processes that are started."""
    with contextlib.ExitStack() as back:
        _flush()
        with contextlib.suppress(OSError):  # one of them is closed
            kept = os.dup(1)
            back.callback(os.close, kept)
            os.dup2(2, 1)
            back.callback(os.dup2, kept, 1)
            back.callback(_flush)  # what was written to `sys.__stdout__`
        back.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        sys.stdout.flush()
