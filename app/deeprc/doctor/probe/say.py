"""How a rank tells what it found: launchers mix the output of ranks, hence one write for each whole line."""

from __future__ import annotations

import json
import os

MARK = "DEEPRC-PROBE "


def say(**facts: object) -> None:
    """Print facts on a line of their own."""
    line = f"\n{MARK}{json.dumps(facts)}\n".encode()
    while line:  # a pipe takes a long one in parts
        line = line[os.write(1, line) :]


def heard(output: str) -> list[dict]:
    """All that ranks said in the output of a launcher; lines that another rank's output has broken are left out."""
    found = []
    for line in output.splitlines():
        _, mark, text = line.partition(MARK)  # launchers may put a label before it
        if not mark:
            continue
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found
