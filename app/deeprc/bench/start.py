"""Ranks of this machine, started to measure something."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from deeprc.core.errors import DeepRCError

TIMEOUT = 3600  # seconds
MARK = "deeprc bench: "  # how a line begins that says how far a measurement is


def tell(line: str) -> None:
    """Called by a rank: say how far a measurement is to whoever has `started` it."""
    print(f"{MARK}{line}", file=sys.stderr, flush=True)


def started(
    ranks: int, module: str, arguments: Sequence[object], threads: int = 1, say: Callable[[str], None] | None = None
) -> Any:
    """What a module prints as JSON in its last line, run by MPI ranks.

    Parameters
    ----------
    threads
        Of each rank.
    say
        Takes the lines that a rank has for `tell`.

    Raises
    ------
    DeepRCError
        When the ranks fail, or there is no mpiexec.
    """
    line, environment = command(ranks, module, arguments, threads)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as done:
        clock = threading.Timer(TIMEOUT, done.kill)
        clock.start()
        errors: list[str] = []
        listener = threading.Thread(target=_listen, args=(done.stderr, errors, say))
        listener.start()
        try:
            output = done.stdout.read()
        except BaseException:
            done.terminate()  # mpiexec ends its ranks, which have nothing to save
            raise
        finally:
            clock.cancel()
        listener.join()
    if done.returncode:
        words = "".join(errors)[-4000:]
        raise DeepRCError(f"the ranks failed (exit {done.returncode}):\n{words}", where=" ".join(line))
    return json.loads(output.splitlines()[-1])


def command(ranks: int, module: str, arguments: Sequence[object], threads: int = 1) -> tuple[list[str], dict[str, str]]:
    """The argument list that starts ranks of a module, and their environment.

    Raises
    ------
    DeepRCError
        When there is no mpiexec.
    """
    beside = Path(sys.executable).with_name("mpiexec")  # where the mpich wheel puts it
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    if launcher is None:
        raise DeepRCError("no mpiexec found", expected="mpiexec beside Python or on the PATH", fix="make install")
    line = [launcher, "-n", str(ranks), sys.executable, "-P", "-m", module, *map(str, arguments)]
    count = str(threads)
    environment = {**os.environ, "DEEPRC_RANKS": str(ranks), "POLARS_MAX_THREADS": count, "OMP_NUM_THREADS": count}
    return line, environment


def _listen(lines: Iterable[str], errors: list[str], say: Callable[[str], None] | None) -> None:
    for line in lines:
        if not line.startswith(MARK):
            errors.append(line)
        elif say:
            say(line.removeprefix(MARK).rstrip("\n"))
