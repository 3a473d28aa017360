"""A program of Python, run in a process that runs already: as `python ARGUMENTS` runs it."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import sys
import time
import traceback
import types
from pathlib import Path

UNFLUSHED = 120  # Python's exit code where what was printed could not be written
INTERRUPTED = 130
OWN = str(Path(__file__).parent) + os.sep


def main(arguments: list[str], flags: str) -> int:
    """Run the program; its exit code. What it raises is shown as Python shows it, without the frames of ours.

    `flags` are the letters of its options (`startup.options`); that of unbuffered output is `Streams`'.
    """
    try:
        return _run(arguments, flags) or 0
    except SystemExit as end:
        return code_of(end)
    except BaseException as error:
        return _shown(error)


def _run(arguments: list[str], flags: str) -> int | None:
    import runpy  # a worker that is not warm starts without

    as_at_start()
    # The worker's own names its socket and its key, which are nobody else's.
    sys.orig_argv = [sys.executable, *(f"-{letter}" for letter in flags), *arguments]
    sys.dont_write_bytecode |= "B" in flags
    safe, (kind, *rest) = "P" in flags, arguments
    namespace = sys.modules["__main__"] = types.ModuleType("__main__")
    namespace.__builtins__ = builtins
    if kind == "-c":
        if not safe:
            sys.path.insert(0, "")
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec", dont_inherit=True), namespace.__dict__)
        return None
    if kind == "-m":
        if not safe:
            sys.path.insert(0, str(Path.cwd()))
        sys.argv = ["-m", *rest[1:]]
        runpy._run_module_as_main(rest[0])
        return None
    sys.argv, path = arguments, kind if kind.startswith(os.sep) else f"{Path.cwd()}{os.sep}{kind}"
    if Path(path).is_dir() or _is_archive(path):
        sys.path.insert(0, path)
        runpy._run_module_as_main("__main__", alter_argv=False)
        return None
    if not safe:
        sys.path.insert(0, str(Path(path).resolve().parent))
    return _run_script(path, namespace)


def as_at_start() -> None:
    """What Python and libraries take from the environment, or from chance, as a program that starts would have it."""
    for name, seed in (("random", "seed"), ("numpy.random", "seed"), ("torch", "seed")):
        if name in sys.modules:
            getattr(sys.modules[name], seed)()  # else every program would draw the same numbers
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # it is found out once, by $TMPDIR
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _is_archive(path: str) -> bool:
    with contextlib.suppress(OSError), Path(path).open("rb") as file:
        return b"PK" in file.read(4) and __import__("zipfile").is_zipfile(path)
    return False


def _run_script(path: str, namespace: types.ModuleType) -> int | None:
    import pkgutil
    from importlib.machinery import SourceFileLoader

    try:
        with io.open_code(path) as file:
            code = pkgutil.read_code(file)  # compiled already, or None
        if code is None:
            with io.open_code(path) as file:
                text = file.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 2
    namespace.__file__, namespace.__loader__ = path, SourceFileLoader("__main__", path)
    namespace.__cached__ = None
    exec(code or compile(text, path, "exec", dont_inherit=True), namespace.__dict__)
    return None


def code_of(end: SystemExit) -> int:
    """The exit code of a program that ends by it; what it says instead of a number is printed, as Python does."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return int(end.code) if -(2**63) <= end.code < 2**63 else -1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()  # Python's order
    print(end.code, file=sys.stderr)
    return 1


def _shown(error: BaseException) -> int:
    """Show what has ended the program, by its own hook: that may end more than this process, and with another code."""
    try:
        sys.excepthook(type(error), error, _without_ours(error).__traceback__)
    except SystemExit as end:
        return code_of(end)
    except BaseException as another:
        another.__context__ = None
        print("Error in sys.excepthook:", file=sys.stderr)
        traceback.print_exception(_without_ours(another))
        print("\nOriginal exception was:", file=sys.stderr)
        traceback.print_exception(error)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1


def _without_ours(error: BaseException) -> BaseException:
    first = error.__traceback__
    while first is not None and _is_ours(first.tb_frame.f_code.co_filename):
        first = first.tb_next
    return error.with_traceback(first)


def _is_ours(name: str) -> bool:
    return name.startswith(OWN) or name == "<frozen runpy>" or name.endswith(f"{os.sep}runpy.py")


def flushed(code: int) -> int:
    """Write what the program has printed; its exit code, or Python's own where that cannot be done."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not getattr(stream, "closed", False):  # Python asks for it so, too
                stream.flush()
        except BaseException as error:
            if stream is sys.stdout:
                with contextlib.suppress(BaseException):
                    print(f"Exception ignored in: {stream!r}", file=sys.stderr)
                    print("".join(traceback.format_exception_only(error)), end="", file=sys.stderr)
            code = UNFLUSHED
    return code


class Streams:
    """The standard files of Python, with the encodings that this process was started with."""

    def __init__(self) -> None:
        self._kinds = [(each.encoding, each.errors) for each in (sys.stdin, sys.stdout, sys.stderr)]

    def open(self, flags: str = "") -> None:
        """Make them, as Python does at its start with these options; those of a program before may be closed."""
        plain = "u" in flags or os.environ.get("PYTHONUNBUFFERED", "") != ""
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            encoding, errors = self._kinds[number]
            raw: io.RawIOBase = io.FileIO(number, "w" if number else "r", closefd=False)
            raw.name = f"<{name}>"
            straight = plain and number > 0
            buffered = io.BufferedReader(raw) if not number else raw if straight else io.BufferedWriter(raw)
            text = io.TextIOWrapper(
                buffered, encoding, errors, newline="\n" if number else None, write_through=straight,
                line_buffering=not straight and (number == 2 or os.isatty(number)),
            )  # fmt: skip
            text.mode = "w" if number else "r"
            setattr(sys, name, text), setattr(sys, f"__{name}__", text)
