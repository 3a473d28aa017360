"""Ranks as threads of one process, for what is pure arithmetic over ranks; those of MPI are in tests/integration."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import numpy as np

from deeprc.learning.peers import Done
from deeprc.learning.world import World


class Threads:
    """One of several ranks."""

    def __init__(self, rank: int, size: int, lines: dict, barrier: threading.Barrier, told: list) -> None:
        self.rank, self.size, self.world = rank, size, World(rank, size)
        self._lines, self._barrier, self._told = lines, barrier, told

    def exchange(self, mine: np.ndarray, other: int) -> np.ndarray:
        self._lines[self.rank, other].put(mine.copy())
        return self._lines[other, self.rank].get(timeout=30)

    def allgather(self, value):
        self._told[self.rank] = value
        self._barrier.wait(30)
        found = list(self._told)
        self._barrier.wait(30)
        return found

    def later(self, mine: np.ndarray) -> Done:
        return Done(np.stack(self.allgather(mine)))


def on_ranks(size: int, work: Callable[[Threads], object]) -> list:
    """What `work` returns on each of the ranks."""
    lines = {(a, b): queue.Queue() for a in range(size) for b in range(size)}
    barrier, told = threading.Barrier(size), [None] * size
    results, errors = [None] * size, []

    def run(rank: int) -> None:
        try:
            results[rank] = work(Threads(rank, size, lines, barrier, told))
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return results
