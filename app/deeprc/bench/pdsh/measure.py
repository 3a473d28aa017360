"""Queries, timed and compared with the reference answers; run by every rank."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deeprc.bench.pdsh.answers import difference
from deeprc.bench.pdsh.engines import Answer, engine
from deeprc.frames import Communicator

Answers = Mapping[int, Sequence[Sequence[str]]]


def measure(answer: Answer, numbers: Sequence[int], answers: Answers, repeats: int, comm: Communicator) -> list[dict]:
    """Time queries.

    Parameters
    ----------
    answers
        The reference answers; a query without one is timed alone.

    Returns
    -------
    For each query: `query`; `seconds`, the median of the repeats, each from a barrier until the slowest rank is done;
    `right`, null where there is no reference answer; `difference`, the first one in a sentence; `peak_mb`, the most
    memory that a rank held meanwhile.
    """
    rows = []
    for number in numbers:
        seconds, found = [], None
        from_here = _forget_peak()
        for _ in range(repeats):
            found = None
            comm.barrier()
            start = time.perf_counter()
            found = answer(number)
            seconds.append(comm.allreduce(time.perf_counter() - start, "max"))
        peak = comm.allreduce(_peak_mb(from_here), "max")
        wrong = None
        if comm.rank == 0 and number in answers:
            wrong = difference(found, answers[number])
        rows.append(
            {
                "query": number,
                "seconds": statistics.median(seconds),
                "right": wrong is None if number in answers else None,
                "difference": wrong,
                "peak_mb": round(peak),
            }
        )
    return rows


def _forget_peak() -> bool:
    """Reset the peak of memory, where the system can; else the peak is that since the process started."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_mb(from_here: bool) -> float:
    status = Path("/proc/self/status")
    if from_here and status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text())
    world = Communicator.world()
    answers = {int(number): rows for number, rows in task["answers"].items()}
    who = engine(task["engine"], Path(task["folder"]), world)
    measured = measure(who, task["queries"], answers, task["repeats"], world)
    if world.rank == 0:
        print(json.dumps(measured))
