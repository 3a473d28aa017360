"""Ask programs and files: with a time limit, and silently where there is no answer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 10.0  # seconds; a batch system whose server is down lets its clients wait for minutes


def ask(
    argv: Sequence[str],
    *,
    patience: float = PATIENCE,
    env: dict[str, str] | None = None,
    both: bool = False,
    whatever: bool = False,
) -> str | None:
    """What a program prints on standard output (`both`: or on standard error); None where it is missing, takes too
    long, or fails (but for `whatever`).
    """
    if not shutil.which(argv[0], path=(env or os.environ).get("PATH")):
        return None
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, text=True, errors="replace", timeout=patience, env=env,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 or whatever else None


def read(path: Path) -> str | None:
    """A file's text without blanks around it; None where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def folders(path: Path, pattern: str = "*") -> list[Path]:
    """What lies in a folder, sorted; nothing where it is missing."""
    try:
        return sorted(path.glob(pattern))
    except OSError:
        return []
