"""The jobs of a workflow, as Snakemake tells them (`-n`) and the executor reads what each asks for. Nothing is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deeprc.core.errors import DeepRCError

LINES = 12  # of what Snakemake says of a workflow that it cannot read


def told(arguments: Sequence[str], where: str | Path, folder: Path | None = None) -> dict:
    """All jobs that it takes to make all of a workflow's first target.

    Parameters
    ----------
    arguments
        Snakemake's, which choose workflow, executor and site.
    where
        What is named where it cannot be told.
    folder
        The folder that Snakemake stands in; that of this process where it is None.

    Returns
    -------
    dict
        `jobs`: of each its `rule`, `label`, `ranks`, `cores`, `gpus`, `memory_mb`, `nodes`, `seconds`, `unknown`,
        `after` (the numbers of those that it comes after), `command`, and `files` that it makes. `more`: whether a
        checkpoint will bring others.

    Raises
    ------
    DeepRCError
        Where Snakemake cannot tell the jobs: with its own words.
    """
    own = (folder or Path.cwd()) / ".snakemake"
    with tempfile.TemporaryDirectory(prefix="deeprc-load-") as temporary, ExitStack() as after:
        if not own.exists():
            after.callback(shutil.rmtree, own, ignore_errors=True)  # it is nobody's: nothing has run
        path = Path(temporary, "load.json")
        command = [sys.executable, "-m", "snakemake", *arguments, "--dry-run", "--forceall", "--nolock"]
        done = subprocess.run(
            [*command, "--quiet", "all"], cwd=folder, env={**os.environ, "DEEPRC_LOAD": str(path)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        if done.returncode != 0 or not path.exists():
            lines = [line for line in done.stdout.splitlines() if line.strip()][-LINES:] or ["no jobs"]
            raise DeepRCError(
                "Snakemake cannot tell the jobs of this workflow", where=where, found="\n    ".join(lines),
                expected="that `snakemake --dry-run` works in this folder, with the workflow's inputs",
            )  # fmt: skip
        found = json.loads(path.read_text())
    if "refused" in found:
        raise DeepRCError("a run of this workflow would be refused", where=where, found=found["refused"])
    if not found["jobs"]:
        raise DeepRCError(
            "this workflow has no job for a pilot", where=where, found="no jobs, or those of local rules alone"
        )
    return found
