"""Joins on keys that many rows share: these rows lie on all ranks, and a copy of what they match on every one.

A key with 90 % of the rows would else bring these to one rank. Which keys are so heavy is told by a sample; whether a
row has one of them is told by the key itself, so that a wrong guess costs time alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from deeprc.frames.communicator import Communicator
from deeprc.frames.names import renamed
from deeprc.frames.partition import row_hash, send
from deeprc.frames.wire import spelled

MANY = 2**17  # rows of both sides on all ranks: fewer are joined faster than a sample of them is looked at
SHARE = 0.25  # of what a rank has on average: a key with more rows is heavy
SAMPLED = 256  # rows of each rank are looked at; of very many ranks fewer
ALL_SAMPLED = 2**18
SURE = 8  # times at least a heavy key stands in the sample
EVEN = 1.25  # times the mean of its heavy rows may a rank have for these to stay where they are

LEFT, RIGHT = 0, 1


@dataclass(frozen=True)
class Side:
    """A side of a join.

    Parameters
    ----------
    df, keys
        Its rows on this rank, and the columns that it is joined by.
    place
        The rank that each row goes to, if its key is not heavy.
    splits
        Whether its rows of a key may lie on several ranks, each beside a copy of the other side's.
    """

    df: pl.DataFrame
    keys: Sequence[str]
    place: Callable[[], np.ndarray]
    splits: bool = True


@dataclass(frozen=True)
class Heavy:
    """The heavy keys of a side, the same on all ranks.

    Parameters
    ----------
    keys
        A row per key.
    stay
        Whether their rows lie evenly on the ranks already.
    nulls
        Whether rows without a key are so many that they stay where they are: they match nothing.
    """

    keys: pl.DataFrame
    stay: bool
    nulls: bool


def heavy(sides: Sequence[Side], nulls_equal: bool, comm: Communicator) -> tuple[Heavy, Heavy] | None:
    """The keys that would make a rank's share too large, for each side those whose rows are to be split.

    Returns
    -------
    None where there are none, which is told by one message of each rank.
    """
    if comm.size == 1:
        return None
    with comm.together():
        told = [_sampled(side, nulls_equal, comm.size) for side in sides]
    chosen = _chosen(comm.allgather(told), [side.splits for side in sides], comm.size)
    if chosen is None:
        return None
    with comm.together():
        mine = [_with_hash(side, hashes, nulls_equal) for side, (hashes, _, _) in zip(sides, chosen, strict=True)]
    every = comm.allgather(mine)
    with comm.together():
        keys = [pl.concat([of_rank[side] for of_rank in every]).unique() for side in (LEFT, RIGHT)]
    return tuple(Heavy(rows, stay, nulls) for rows, (_, stay, nulls) in zip(keys, chosen, strict=True))


def split(
    sides: Sequence[Side], found: tuple[Heavy, Heavy], how: str, nulls_equal: bool, comm: Communicator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both sides where they can be joined rank by rank; rows of a heavy key lie on several ranks."""
    split_here = (how in ("right", "full"), how in ("left", "full"))
    rows, copies = [], []
    for number, side in enumerate(sides):
        ours, theirs = found[number], found[1 - number]
        with comm.together():
            to = side.place().astype(np.int64)
            kept = _among(side, ours.keys, nulls_equal)
            to[kept] = comm.rank if ours.stay else (np.arange(len(kept)) + comm.rank) % comm.size
            if ours.nulls:
                to[side.df.select(pl.any_horizontal(pl.col(side.keys).is_null())).to_series().to_numpy()] = comm.rank
            copied = _among(side, theirs.keys, nulls_equal)
            travels = np.ones(side.df.height, bool)
            travels[copied] = False
            to, moved, copy = to[travels], side.df.filter(pl.Series(travels)), side.df[copied]
        rows.append(send(moved, to, comm))
        copies.append(comm.allgather(copy))
    with comm.together():
        made = []
        for number, side in enumerate(sides):
            more = pl.concat(copies[number])
            if split_here[number - 1]:  # a copy that matches nothing here would come out of the join on its own
                partner = rows[1 - number].select(sides[1 - number].keys)
                more = more.join(partner, left_on=side.keys, right_on=partner.columns, how="semi", nulls_equal=True)
            made.append(pl.concat([rows[number], more]))
    return made[LEFT], made[RIGHT]


def _sampled(side: Side, nulls_equal: bool, ranks: int) -> tuple[int, int, np.ndarray]:
    """The number of rows, and of some of them: how many have no key, and the hashes of the others' keys."""
    count = min(side.df.height, SAMPLED, max(16, ALL_SAMPLED // ranks))
    rows = np.sort(np.random.default_rng(side.df.height).integers(0, max(side.df.height, 1), count))
    keys = side.df.select(side.keys)[rows.astype(np.uint32 if side.df.height < 2**32 else np.uint64)]
    there = keys if nulls_equal else keys.drop_nulls()
    return side.df.height, keys.height - there.height, row_hash(there, side.keys)


def _chosen(
    told: Sequence[Sequence[tuple[int, int, np.ndarray]]], splits: Sequence[bool], ranks: int
) -> list[tuple[np.ndarray, bool, bool]] | None:
    """Of each side the hashes of keys that are to be split, whether their rows stay, and whether those of nulls do."""
    rows = [sum(of_rank[side][0] for of_rank in told) for side in (LEFT, RIGHT)]
    if sum(rows) < MANY:
        return None
    counted = [_counted([of_rank[side] for of_rank in told]) for side in (LEFT, RIGHT)]
    least = [SHARE * count / ranks for count in rows]
    weights = [
        {
            one: of_ranks.sum()
            for one, (of_ranks, seen) in counts.items()
            if seen >= SURE and of_ranks.sum() > least[side]
        }
        if splits[side]
        else {}
        for side, (counts, _) in enumerate(counted)
    ]
    for one in weights[LEFT].keys() & weights[RIGHT].keys():  # rows of the lighter side are copied, not split, too
        del weights[LEFT if weights[LEFT][one] < weights[RIGHT][one] else RIGHT][one]
    chosen = []
    for side, (counts, nulls) in enumerate(counted):
        lie = sum((counts[one][0] for one in weights[side]), np.zeros(ranks))
        stay = bool(lie.max() <= EVEN * lie.mean())
        chosen.append((np.array(sorted(weights[side]), np.uint64), stay, bool(nulls > least[side])))
    return chosen if any(len(hashes) or nulls for hashes, _, nulls in chosen) else None


def _counted(of_ranks: Sequence[tuple[int, int, np.ndarray]]) -> tuple[dict[int, tuple[np.ndarray, int]], float]:
    """Of each key in the sample, by its hash: about how many rows each rank has, and how often it stands there."""
    counts: dict[int, tuple[np.ndarray, int]] = {}
    without = 0.0
    for rank, (rows, nulls, hashes) in enumerate(of_ranks):
        weight = rows / max(nulls + len(hashes), 1)
        without += weight * nulls
        for one, times in zip(*np.unique(hashes, return_counts=True), strict=True):
            rows_of, seen = counts.get(int(one), (np.zeros(len(of_ranks)), 0))
            rows_of[rank] += weight * times
            counts[int(one)] = rows_of, seen + int(times)
    return counts, without


def _with_hash(side: Side, hashes: np.ndarray, nulls_equal: bool) -> pl.DataFrame:
    """The keys that have one of the hashes, each once; under numbers, since the sides may call them otherwise."""
    keys = _plain(side)
    if not len(hashes):
        return keys.clear()
    keys = keys.filter(pl.Series(np.isin(row_hash(keys, keys.columns), hashes)))
    return (keys if nulls_equal else keys.drop_nulls()).unique()


def _among(side: Side, keys: pl.DataFrame, nulls_equal: bool) -> np.ndarray:
    """The numbers of the rows that have one of the keys."""
    if keys.is_empty():
        return np.empty(0, np.uint32)
    rows = _plain(side).with_row_index("row")
    return rows.join(keys, on=keys.columns, how="semi", nulls_equal=nulls_equal)["row"].to_numpy()


def _plain(side: Side) -> pl.DataFrame:
    keys = side.df.select(pl.col(name).cast(spelled(side.df.schema[name])) for name in side.keys)
    return renamed(keys, [f"k{number}" for number in range(keys.width)])
