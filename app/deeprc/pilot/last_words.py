"""What RADICAL-Pilot has left to say of a pilot that failed."""

from __future__ import annotations

import re
from pathlib import Path

from deeprc.core.files import tail


def last_words(folder: Path) -> tuple[list[str], Path]:
    """The end of what a pilot in `folder` wrote of its failure, and the file of it.

    The agent's words, else those of its start, else the last error in RADICAL-Pilot's logs: that of a pilot that could
    not even be submitted.
    """
    for name in ("agent_0.err", "bootstrap_0.err", "broker.err"):  # other processes' files hold notes, not failures
        for path in folder.rglob(name):
            if words := tail(path):
                return words, path
    for path in sorted(folder.rglob("*.log"), key=lambda path: path.stat().st_mtime_ns, reverse=True):
        if words := last_error(path.read_text(errors="replace")):
            return words, path
    return [], folder


def last_error(text: str, lines: int = 8, width: int = 300) -> list[str]:
    """The end of the last error in a log of RADICAL-Pilot: `time : component : pid : thread : ERROR : words`, and what
    follows up to the next such line, a traceback.
    """
    found: list[str] = []
    mine = False
    for line in text.splitlines():
        if record := re.match(r"\d+\.\d+ *: [^:]*: *\d+ *: *\d+ *: (\w+) *: ?(.*)", line):
            mine = record[1] in ("ERROR", "CRITICAL")
            found = [record[2]] if mine else found
        elif mine and line.strip():
            found.append(line)
    return [line[:width] for line in found[-lines:]]
