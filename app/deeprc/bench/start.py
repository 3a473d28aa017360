"""Ranks of this machine, started to measure something."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deeprc.core.errors import DeepRCError

TIMEOUT = 3600  # seconds


def started(ranks: int, module: str, arguments: Sequence[object], threads: int = 1) -> Any:
    """What a module prints as JSON in its last line, run by MPI ranks.

    Parameters
    ----------
    threads
        Of each rank.

    Raises
    ------
    DeepRCError
        When the ranks fail, or there is no mpiexec.
    """
    line, environment = command(ranks, module, arguments, threads)
    done = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT, env=environment)
    if done.returncode:
        raise DeepRCError(f"the ranks failed (exit {done.returncode}):\n{done.stderr[-4000:]}", where=" ".join(line))
    return json.loads(done.stdout.splitlines()[-1])


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
