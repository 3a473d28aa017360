"""A workflow's commands without Snakemake and without a pilot: fresh processes, as many at once as there are cores."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deeprc.bench.ways import SAID
from deeprc.core.errors import DeepRCError
from deeprc.core.threads import variables

LINES = 5  # of the output of a command that failed
LOOK = 0.02  # seconds between two looks at the processes


def run(jobs: Sequence[dict], folder: Path, cores: int) -> None:
    """Run the jobs in the order of what comes after what; the first that can, in the order given, begins first.

    Parameters
    ----------
    jobs
        As `told` tells them.
    folder
        That they run in.
    cores
        Jobs that run at once have no more; one that asks for more has them to itself.

    Raises
    ------
    DeepRCError
        Of a command that fails. No other one is begun, and those that run are ended.
    """
    waiting, done, left = list(range(len(jobs))), set(), cores
    running: dict[int, subprocess.Popen] = {}
    try:
        while waiting or running:
            for number in [number for number in waiting if done.issuperset(jobs[number]["after"])]:
                if (asked := _cores(jobs[number], cores)) <= left:
                    running[number] = _start(jobs[number], folder)
                    waiting.remove(number)
                    left -= asked
            ended = [number for number, process in running.items() if process.poll() is not None]
            for number in ended:
                process = running.pop(number)
                if process.returncode:
                    raise _failed(jobs[number], process.returncode, folder)
                done.add(number)
                left += _cores(jobs[number], cores)
            if not ended:
                time.sleep(LOOK)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _cores(job: dict, most: int) -> int:
    return min(max(1, job["ranks"] * job["cores"]), most)


def _start(job: dict, folder: Path) -> subprocess.Popen:
    for path in job["files"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    beside = Path(sys.executable).parent
    line = ["bash", "-c", job["command"]]
    if job["ranks"] > 1:
        line = [str(beside / "mpiexec"), "-n", str(job["ranks"]), *line]
    environment = {
        **os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", "DEEPRC_RANKS": str(job["ranks"]),
        **variables(job["cores"]),
    }  # fmt: skip
    with (folder / SAID).open("ab") as said:
        return subprocess.Popen(line, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)


def _failed(job: dict, code: int, folder: Path) -> DeepRCError:
    logs = [folder / path for path in job["files"] if path.endswith(".log")] + [folder / SAID]
    text = next((text for path in logs if path.is_file() and (text := path.read_text(errors="replace").strip())), "")
    words = "\n    ".join(text.splitlines()[-LINES:]) or "it said nothing"
    return DeepRCError(f"this job failed (exit {code}): {job['label']}", found=words)
