"""A pipeline's stages, started here one by one as a workflow's jobs start them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from deeprc.core.errors import DeepRCError

ENDS = ("error: ", "Traceback ")  # how the last words of a stage that fails begin


def stage(name: str, *arguments: object, threads: int, say: Callable[[str], None]) -> None:
    """Run the module `name`; `say` hears each line that it prints, but not the error that it ends with.

    Raises
    ------
    DeepRCError
        Where it fails, with that error, or its last line.
    """
    command = [sys.executable, "-P", "-m", name, *map(str, arguments)]
    count = str(threads)
    environment = {**os.environ, "OMP_NUM_THREADS": count, "POLARS_MAX_THREADS": count}
    lines, own = [], None
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout:
            lines.append(line.rstrip())
            if own is None and lines[-1].startswith(ENDS):
                own = len(lines) - 1
            if own is None:
                say(lines[-1])
    if process.returncode:
        last = "\n".join(lines[-1 if own is None else own :])
        raise DeepRCError(f"the stage failed (exit {process.returncode})", where=name, found=last)
    for line in [] if own is None else lines[own:]:  # it did not end with it
        say(line)
