"""Large inputs, computed a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from deeprc.learning.peers import Peers


def in_batches(
    compute: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, size: int, peers: Peers | None = None
) -> np.ndarray:
    """What `compute` makes of `rows`, in batches of `size`, one after the other.

    Ranks are dealt whole batches, the same ones however many they are: kernels round by the size of a batch, so these
    are the same numbers on any number of ranks. Every rank has all of them in the end.

    Parameters
    ----------
    compute
        From rows, shape (rows,), to their results, shape (rows, ...).
    """
    batches = [rows[first : first + size] for first in range(0, len(rows), size)]
    rank, ranks = (peers.rank, peers.size) if peers else (0, 1)
    mine = [compute(batch) for batch in batches[rank::ranks]]
    shares = peers.allgather(mine) if peers else [mine]
    return np.concatenate([shares[number % ranks][number // ranks] for number in range(len(batches))])
