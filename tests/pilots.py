"""Running Snakemake workflows with a real pilot, and looking at what they leave."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

WORKFLOWS = Path(__file__).parent / "integration" / "pilot"
QUIET = ["--quiet", "host", "progress", "reason", "rules", "--"]


def start(
    folder: Path, snakefile: str, *arguments: str, executor: str = "radical-pilot", path: str | None = None,
    umask: int = -1, **environment: str,
):  # fmt: skip
    """Start Snakemake in `folder`; its two outputs are joined in `stdout`."""
    folder.mkdir(exist_ok=True)
    command = [str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(WORKFLOWS / snakefile)]
    command += ["--executor", executor, "--jobs", "100", *arguments]
    path = f"{Path(sys.executable).parent}{os.pathsep}{path or os.environ['PATH']}"
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        umask=umask,
        text=True,
    )


def finish(process: subprocess.Popen, timeout: float) -> tuple[int, str]:
    """Exit code and output of a workflow that ends within `timeout` seconds."""
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return process.returncode, output


def run(*arguments, timeout: float = 240, **options) -> tuple[int, str]:
    """Exit code and output of a workflow (see `start`)."""
    return finish(start(*arguments, **options), timeout)


def tree(folder: Path, *, dumps: bool = True) -> dict[str, str]:
    """Every file that a workflow made, with its mode and content; without `dumps`, less those of environments."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0][0] != ".")
    files = (path for path in files if not {".deeprc", ".snakemake"} & {*path.relative_to(folder).parts})
    files = (path for path in files if dumps or path.suffix != ".env")
    return {str(p.relative_to(folder)): f"{p.stat().st_mode:o} {p.read_text()}" for p in files}


def events(folder: Path) -> list[dict]:
    """The events of the newest run in `folder`."""
    *_, path = sorted(folder.glob(".deeprc/runs/*/events.jsonl"))
    return [json.loads(line) for line in path.read_text().splitlines()]


def jobs_that_began(folder: Path) -> list[Path]:
    """What jobs print whose command has begun, in any run: a file of each."""
    return list(folder.glob(".deeprc/runs/*/jobs/*/out.0"))


def survivors(folder: Path) -> dict[int, list[str]]:
    """The processes that work for a run in `folder`: their numbers and arguments.

    A process that renames itself loses its arguments and environment, but not its working directory.
    """
    found = {}
    for process in psutil.process_iter():
        try:
            arguments = process.cmdline()
            texts = [process.cwd(), *arguments, *process.environ().values()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in text for text in texts):
                found[process.pid] = arguments
        except (psutil.Error, OSError):  # it has just ended
            continue
    return found


WATCH = """
secrets, found = [word[::-1].encode() for word in sys.argv[1:]], set()
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            line = open(path, "rb").read()
        except OSError:
            continue
        if any(secret in line for secret in secrets):
            found.add(line.replace(bytes(1), b" "))
print(*found, sep="\\n")
"""


@contextlib.contextmanager
def watched(stranger, *secrets: str) -> Iterator[list[str]]:
    """The command lines with one of these secrets that another user sees meanwhile; known at the end."""
    seen: list[str] = []
    backwards = (each[::-1] for each in secrets)  # else the watch would see itself
    process = stranger.start(WATCH, *backwards, modules=("glob", "select"), stdin=subprocess.PIPE)
    try:
        assert process.stdout.readline() == "begun\n"
        yield seen
        seen += filter(None, process.communicate(timeout=20)[0].splitlines())
    finally:
        process.kill()


def holding(folder: Path, *secrets: str) -> list[str]:
    """The files below a folder that have one of these secrets, as it is or in base64."""
    forms = [form for each in map(str.encode, secrets) for form in (each, base64.b64encode(each)[:-4])]
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if any(form in path.read_bytes() for form in forms)]


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Wait until `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
