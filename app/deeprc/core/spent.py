"""What a job says of its own time: lines in the file that `$DEEPRC_SPENT` names, which the executor reads at its end.

`begun SECONDS`: when its imports were done and its work began, since the epoch; `checkpoint SECONDS`: how long it has
waited for a checkpoint. Any program may write them; whoever writes none has spent its time on its work.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

SPENT = "DEEPRC_SPENT"


def begun() -> None:
    """The work of this process begins: what came before were imports."""
    _tell("begun", time.time())


def checkpoint(seconds: float) -> None:
    """So long the work has waited for a checkpoint."""
    _tell("checkpoint", seconds)


def read(path: Path, start: float, stop: float) -> dict[str, float]:
    """What a job that ran from `start` to `stop` has told: the seconds of its `import` and `checkpoint`.

    Together no more than it ran; what cannot be read counts as not told.
    """
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except (OSError, ValueError):
        return {}
    found = {"begun": [], "checkpoint": []}
    for row in rows:
        with contextlib.suppress(ValueError, KeyError, IndexError):
            found[row[0]].append(float(row[1]))
    ran = max(0.0, stop - start)
    imports = min(max(0.0, found["begun"][0] - start), ran) if found["begun"] else 0.0
    saved = min(max(0.0, sum(found["checkpoint"])), ran - imports)
    told = {"import": round(imports, 3), "checkpoint": round(saved, 3)}
    return {name: seconds for name, seconds in told.items() if seconds > 0}


def _tell(what: str, seconds: float) -> None:
    """The first rank speaks for all."""
    path = os.environ.get(SPENT)
    if path and os.environ.get("RP_RANK", "0") == "0":
        with contextlib.suppress(OSError), Path(path).open("a") as told:  # a full disk: the work goes on
            told.write(f"{what} {seconds:.6f}\n")
