"""The real images: built as a user builds them, while other tests run."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent.parent / "containers" / "catalog.yaml"
REAL = {"frames_image": ["cpu", "--stages", "frames"], "cpu_image": ["cpu"]}  # by their fixtures
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deeprc" / "test-images"
begun: list[subprocess.Popen] = []


def possible() -> bool:
    return bool(shutil.which("apptainer")) and bool(shutil.which("debootstrap"))


def begin(fixtures: Iterable[str]) -> None:
    """Begin to build the images of these fixtures, each of which then finds its own there.

    One that is still being built is waited for, and one that failed is built again, which tells why.
    """
    deeprc = str(Path(sys.executable).parent / "deeprc")
    # One after the other: a core is left for the tests.
    lines = [shlex.join([deeprc, "image", "build", *REAL[name]]) for name in REAL if name in fixtures]
    if not lines or begun or not possible():
        return
    environment = {**os.environ, "DEEPRC_IMAGES": str(KEPT), "DEEPRC_CATALOG": str(SHIPPED)}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begun.append(subprocess.Popen(["sh", "-c", "; ".join(lines)], env=environment, start_new_session=True, **quiet))


def end() -> None:
    """End what is still being built: the session was cut short."""
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)
