"""Starts of Snakemake that run no job (dry runs, refusals), all in one process: most of what one takes is imports."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
process: subprocess.Popen | None = None  # ends with the tests, as its input does


@dataclass
class Ended:
    """How a start has ended, and its two outputs, joined."""

    code: int | None
    output: str


def together(*starts: list[object], **environment: str) -> list[Ended]:
    """Start Snakemake with each of these lists of arguments, one after the other, as its command line does."""
    global process
    if process is None or process.poll() is not None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([sys.executable, __file__], cwd=ROOT, text=True, **pipes)
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, **environment}
    arguments = [list(map(str, each)) for each in starts]
    try:
        print(json.dumps([environment, arguments]), file=process.stdin, flush=True)
        return [Ended(*ended) for ended in json.loads(process.stdout.readline())]
    except BaseException:  # the next ones begin anew
        process.kill()
        raise


def _start(arguments: list[str]) -> tuple[int | None, str]:
    from snakemake.cli import main

    said, code = io.StringIO(), None
    sys.argv = ["snakemake", *arguments]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            os.chdir(ROOT)
    return code, said.getvalue()


if __name__ == "__main__":
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")  # Snakemake closes the one, and may print
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)
    for line in questions:
        environment, starts = json.loads(line)
        os.environ.clear()
        os.environ.update(environment)
        print(json.dumps([_start(arguments) for arguments in starts]), file=answers, flush=True)
