"""Sums along one tree: the same bits on any number of ranks.

Numbers of a computer are not associative: (a + b) + c differs from a + (b + c) in the last bit, so a sum of gradients
depends on who adds which first. Here it never does. The global batch is V virtual shards, which are the leaves of one
binary tree; a rank holds a whole subtree of it, adds that up by itself, and goes on upwards with its neighbours. With
R = 1, 2, 4, … ranks the same pairs are added in the same order; only where they are added differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from deeprc.core.errors import ConfigError


class Exchanging(Protocol):
    """What a sum over ranks needs of them."""

    rank: int
    size: int

    def exchange(self, mine: np.ndarray, other: int) -> np.ndarray:
        """Send `mine` to the rank `other`, which does the same; what it sent. Both have the same shape and type."""


def shards_of(rank: int, ranks: int, shards: int) -> range:
    """The virtual shards of a rank: consecutive ones, so that they are a subtree.

    Raises
    ------
    ConfigError
        Where ranks or shards are not powers of two, or there are more ranks than shards.
    """
    for what, count in (("virtual shards", shards), ("ranks", ranks)):
        if count < 1 or count & (count - 1):
            raise ConfigError(
                f"`reproducible: elastic` cannot work with this number of {what}",
                found=count,
                expected="a power of two: 1, 2, 4, 8, …",
                fix="change the key 'shards' or 'ranks' of the training, or leave out `reproducible: elastic`",
            )
    if ranks > shards:
        raise ConfigError(
            "more ranks than virtual shards: some would have nothing to do",
            found=f"{ranks} ranks, {shards} shards",
            expected=f"at most {shards} ranks",
            fix=f"start fewer ranks, or train from the beginning with `shards: {ranks}`",
        )
    each = shards // ranks
    return range(rank * each, (rank + 1) * each)


def part(rows: np.ndarray, shard: int, shards: int) -> np.ndarray:
    """The rows of a global batch that belong to a shard: consecutive ones, of sizes that differ by one at most."""
    return rows[len(rows) * shard // shards : len(rows) * (shard + 1) // shards]


def fold(leaves: Iterable[np.ndarray], free: Callable[[np.ndarray], object] = lambda array: None) -> np.ndarray:
    """The sum of a power of two of arrays, by pairs, pairs of pairs and so on.

    An array is taken from `leaves` no sooner than it is needed, added into the one to its left, and handed to `free`:
    log2(n) + 1 of them are in use at a time.
    """
    stack: list[tuple[int, np.ndarray]] = []
    for leaf in leaves:
        height, total = 0, leaf
        while stack and stack[-1][0] == height:
            left = stack.pop()[1]
            left += total
            free(total)
            height, total = height + 1, left
        stack.append((height, total))
    if len(stack) != 1:
        raise ValueError("the number of leaves is no power of two")
    return stack[0][1]


def over_ranks(mine: np.ndarray, peers: Exchanging) -> np.ndarray:
    """The sum over all ranks, in `mine`, by recursive doubling along the tree that `fold` began: the same on each.

    Vectors longer than a message is worth are halved on the way up and put together on the way down (Rabenseifner): a
    rank then sends 2 N numbers instead of N log2(R), and each number is still added along the same tree.
    """
    if peers.size == 1:
        return mine
    if peers.size == 2 or mine.size < 4 * peers.size:
        distance = 1
        while distance < peers.size:
            other = peers.exchange(mine, peers.rank ^ distance)
            left, right = (other, mine) if peers.rank & distance else (mine, other)
            np.add(left, right, out=mine)
            distance *= 2
        return mine
    return _halved(mine, peers)


def _halved(mine: np.ndarray, peers: Exchanging) -> np.ndarray:
    begin, end, distance = 0, mine.size, 1
    spans = []
    while distance < peers.size:  # upwards: which half a rank goes on with, its number says
        middle, is_right = begin + (end - begin) // 2, bool(peers.rank & distance)
        low, high = slice(begin, middle), slice(middle, end)
        keep, give = (high, low) if is_right else (low, high)
        other = _uneven(peers, mine, give, keep, distance)
        left, right = (other, mine[keep]) if is_right else (mine[keep], other)
        np.add(left, right, out=mine[keep])
        spans.append((low, high))
        begin, end = keep.start, keep.stop
        distance *= 2
    for low, high in reversed(spans):  # downwards
        distance //= 2
        have, want = (high, low) if peers.rank & distance else (low, high)
        mine[want] = _uneven(peers, mine, have, want, distance)
    return mine


def _uneven(peers: Exchanging, vector: np.ndarray, give: slice, take: slice, distance: int) -> np.ndarray:
    """Exchange two parts of a vector whose lengths may differ by one."""
    length = max(give.stop - give.start, take.stop - take.start)
    sent = np.zeros(length, vector.dtype)
    sent[: give.stop - give.start] = vector[give]
    return peers.exchange(sent, peers.rank ^ distance)[: take.stop - take.start]
