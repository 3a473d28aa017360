"""A program of Python, run in a process that runs already."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path


def run(arguments: list[str]) -> int:
    """Run what `python ARGUMENTS` would."""
    import runpy  # a worker that is not warm starts without

    for name in {"random", "numpy.random"} & sys.modules.keys():
        sys.modules[name].seed()  # else every program would draw the same numbers
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    safe = arguments[0] == "-P"
    kind, *rest = arguments[safe:]
    if kind == "-m":
        if not safe:
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


def code_of(end: SystemExit) -> int:
    """The exit code of a program that ends by it; what it says instead of a number is printed, as Python does."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1
