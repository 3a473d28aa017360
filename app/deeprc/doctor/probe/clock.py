"""Timing an operation of all ranks as the OSU benchmarks do: many calls between barriers; the slowest rank counts."""

from __future__ import annotations

import time
from collections.abc import Callable

SIZES = [8, 64, 1024, 8192, 65536, 524288, 4194304]  # bytes
BUDGET = 0.2  # seconds for each size, as far as 5 calls allow
ROUNDS = 5  # the best of them counts: on a busy machine the others measure its load


def seconds_per_call(
    call: Callable[[], object], barrier: Callable[[], object], slowest: Callable[[float], float]
) -> float:
    """Seconds of one call; `slowest` is the largest of all ranks' numbers, which makes them agree on repetitions."""
    once = float("inf")
    for _ in range(ROUNDS):  # the first makes connections, others may be held up
        barrier()
        start = time.perf_counter()
        call()
        once = min(once, slowest(time.perf_counter() - start))
    repetitions = max(5, min(1000, int(BUDGET / ROUNDS / max(once, 1e-6))))
    best = float("inf")
    for _ in range(ROUNDS):
        barrier()
        start = time.perf_counter()
        for _ in range(repetitions):
            call()
        best = min(best, slowest((time.perf_counter() - start) / repetitions))
    return best
