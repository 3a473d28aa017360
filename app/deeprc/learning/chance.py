"""Chance without a memory: what is drawn depends on its key alone, not on what was drawn before.

So a step draws the same on whichever rank, and after whatever restart, it is made. The bits are those of Philox and
SeedSequence, which numpy promises to keep (NEP 19); of the methods of `Generator` it promises that not.
"""

from __future__ import annotations

import random

import numpy as np

# What keys are for: no two purposes draw the same numbers.
ORDER, SHARD = 1, 2


def bits(count: int, *key: int) -> np.ndarray:
    """So many random uint64 for a key of whole numbers that are not negative."""
    return np.random.Philox(np.random.SeedSequence(key)).random_raw(count)


def order(count: int, seed: int, epoch: int) -> np.ndarray:
    """The numbers 0 to count - 1 in the random order of an epoch, int64."""
    return np.argsort(bits(count, ORDER, seed, epoch), kind="stable")


def shard_seed(seed: int, step: int, shard: int) -> int:
    """What the generators of a framework are seeded with for one shard of one step, below 2^63."""
    return int(bits(1, SHARD, seed, step, shard)[0] >> np.uint64(1))


def seed_python(value: int) -> None:
    """Seed the generators that libraries may draw from beside their framework's own."""
    random.seed(value)
    np.random.seed(value % 2**32)
