"""Secrets that runs have left behind in plain text: one that was killed could not clean up."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from pathlib import Path

import psutil

from deeprc.core.errors import command
from deeprc.core.masking import SHORT
from deeprc.core.masking import secrets as given
from deeprc.doctor.result import CheckResult
from deeprc.doctor.security.place import Place

CONFIGURATION = "configuration.json"  # that of a run; JSON
FILES = ("environment", ".env", ".sh", ".rp")  # ends of the names of files with variables
LARGE = 10_000_000  # bytes; a job's data, and no environment
ASSIGNED = re.compile(rb"""(?:^|[\0\n;]|\bexport\s+)([A-Za-z_]\w*)=['"]?([^\0\n'"]*)""")


def secrets(place: Place) -> list[CheckResult]:
    """The runs that have ended and have left files with secrets behind, by the names of variables."""
    if place.taken:
        return [CheckResult("secrets", "runs", "not run", f"{place.folder} is no folder")]
    if not place.open:
        return [CheckResult("secrets", "runs", "not run", f"{place.folder} is closed to you")]
    ended = [run for run in place.runs if not may_run(run, place)]
    found = [outcome for run in ended if (outcome := _left(run))]
    rest = len(place.runs) - len(ended)
    text = f"{len(ended)} ended run{'s' * (len(ended) != 1)} left none behind" + (f"; {rest} may go on" * (rest > 0))
    return found or [CheckResult("secrets", "runs", "ok", text)]


def may_run(run: Path, place: Place) -> bool:
    """Whether a run may still go on: here, as its process is there; on another machine, as its end is not told."""
    if run in place.running:
        return True
    try:
        told = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    except (OSError, ValueError):  # killed as it wrote
        told = []
    host = next((event["host"] for event in told if event.get("event") == "run"), socket.gethostname())
    if host == socket.gethostname():
        _, _, pid = run.name.rpartition("-")
        return pid.isdigit() and psutil.pid_exists(int(pid))
    pilots = [event["state"] for event in told if event.get("event") == "pilot"]
    return pilots[-1:] != ["closed"]


def names(content: bytes) -> list[str]:
    """The variables in a file, a shell's or as the kernel has them, that hold a secret by their names.

    Short values and paths of what is there are none.
    """
    pairs = {name.decode(): os.fsdecode(value) for name, value in ASSIGNED.findall(content)}
    found = (each for each in given(pairs) if not (each.is_plain or each.value.startswith("$")))
    return sorted({each.where for each in found if not each.name or len(each.value) >= SHORT})


def keys(value: object) -> list[str]:
    """The keys in a configuration, at any depth, that hold a secret by their names."""
    return sorted({each.where for each in given(value) if not each.is_plain})


def _left(run: Path) -> CheckResult | None:
    """What a run has left behind; the figures have its files."""
    found: dict[Path, list[str]] = {}
    for folder, _, files in os.walk(run):
        for path in (Path(folder, name) for name in files if name.endswith((*FILES, CONFIGURATION))):
            with contextlib.suppress(OSError, ValueError):  # being removed, or not written whole
                if not path.is_symlink() and path.stat().st_size < LARGE:
                    content = path.read_bytes()
                    found[path] = keys(json.loads(content)) if path.name == CONFIGURATION else names(content)
    found = {path: held for path, held in found.items() if held}
    if not found:
        return None
    named = ", ".join(sorted({name for held in found.values() for name in held}))
    text = (
        f"{run} has ended, and left {named} in plain text in {len(found)} file{'s' * (len(found) > 1)}; expected none"
    )
    fix = f"{command('rm', '-r', run)}; take new ones if others could read it"
    rows = [{"file": str(path), "names": held} for path, held in sorted(found.items())]
    return CheckResult("secrets", "runs", "failed", text, fix, rows)
