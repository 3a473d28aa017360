"""Ways to compute a step, on ranks, in turns: whatever else the machine does meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import numpy as np

from deeprc.learning.peers import Peers

NAP = 0.001  # seconds between two looks of a rank that waits
Step = Callable[[], object]


def turns(
    ways: Mapping[str, Step], peers: Peers, *, steps: int, count: int, alone: Collection[str] = ()
) -> dict[str, list[float]]:
    """Seconds of `steps` steps of each way, of the slowest rank, in each of `count` turns after one that warms up.

    Every rank calls it, and gets the same.

    Parameters
    ----------
    alone
        Ways of the first rank alone: the others sleep meanwhile.
    """
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(count + 1):
        for way, step in ways.items():
            there = peers.later(np.zeros(1))
            while there.rows() is None:
                time.sleep(NAP)
            mine = _timed(step, steps) if peers.rank == 0 or way not in alone else 0.0
            arrived = peers.later(np.array([mine]))
            while (found := arrived.rows()) is None:
                time.sleep(NAP)
            seconds[way].append(float(found.max()))
    return {way: each[1:] for way, each in seconds.items()}


def _timed(step: Step, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - began
