"""Which rank a row goes to, and rows put in the order of their ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from deeprc.frames.communicator import Communicator
from deeprc.frames.shuffle import shuffle
from deeprc.frames.wire import spelled

SEED = 0x5DEECE66D  # with a fixed seed Polars hashes alike in every process
FEW_RANKS = 6  # up to here one filter per rank is faster than an ordering of the rows


def row_hash(df: pl.DataFrame, on: Sequence[str]) -> np.ndarray:
    """A hash (uint64) of the key columns, the same for equal keys on every rank.

    Dictionaries are hashed by their text, also those in lists and structs, since their codes differ between ranks.
    """
    keys = [df[name].cast(spelled(df.schema[name])) for name in on]
    hashes = keys[0].hash(SEED) if len(keys) == 1 else pl.DataFrame(keys).hash_rows(SEED)
    return hashes.to_numpy()


def by_hash(df: pl.DataFrame, on: Sequence[str], comm: Communicator, *, nulls_stay: bool = False) -> pl.DataFrame:
    """Bring rows of equal keys to the same rank; `nulls_stay` as in `hashed`."""
    return shuffle(lambda: hashed(df, on, comm, nulls_stay=nulls_stay), comm)


def hashed(
    df: pl.DataFrame, on: Sequence[str], comm: Communicator, *, nulls_stay: bool = False
) -> tuple[pl.DataFrame, np.ndarray]:
    """The rows ordered by the rank that their keys belong to, and how many go to each; a local step.

    Parameters
    ----------
    nulls_stay
        Leave rows with a null key where they are: a join matches them with nothing.
    """
    if comm.size == 1:
        return df, np.array([df.height])
    return _by_rank(df, homes(df, on, comm, nulls_stay=nulls_stay), comm.size)


def homes(df: pl.DataFrame, on: Sequence[str], comm: Communicator, *, nulls_stay: bool = False) -> np.ndarray:
    """The rank that each row belongs to by the hash of its keys; `nulls_stay` as in `hashed`."""
    hashes, size = row_hash(df, on), comm.size
    if size > 1 and not size & (size - 1):  # the same as below, for a power of two, in a third of the time
        to = hashes >> np.uint64(65 - size.bit_length())
    else:
        to = hashes >> np.uint64(32)  # the upper half of the hash, scaled to the number of ranks
        to *= np.uint64(size)
        to >>= np.uint64(32)
    if nulls_stay:
        null = df.select(pl.any_horizontal(pl.col(on).is_null())).to_series()
        if null.any():
            to[null.to_numpy()] = comm.rank
    return to


def ranged(
    df: pl.DataFrame, on: Sequence[str], comm: Communicator, borders: tuple[int, ...]
) -> tuple[pl.DataFrame, np.ndarray]:
    """As `hashed`, by the range of one key of whole numbers or days: see `lazy.deal.Deal`."""
    return _by_rank(df, range_homes(df, on, borders), comm.size)


def range_homes(df: pl.DataFrame, on: Sequence[str], borders: tuple[int, ...]) -> np.ndarray:
    """The rank that each row belongs to by the range of its one key."""
    (name,) = on
    keys = df[name].to_physical()
    to = np.searchsorted(np.array(borders, np.int64), keys.fill_null(0).to_numpy(), side="right")
    if keys.null_count():
        to[keys.is_null().to_numpy()] = 0
    return to


def send(df: pl.DataFrame, to: np.ndarray, comm: Communicator) -> pl.DataFrame:
    """Send every row to the rank that `to` names for it; rows keep their order."""
    return shuffle(lambda: _by_rank(df, to, comm.size), comm)


def _by_rank(df: pl.DataFrame, to: np.ndarray, ranks: int) -> tuple[pl.DataFrame, np.ndarray]:
    """The rows ordered by destination, and how many go to each."""
    to = to.astype(np.uint8 if ranks <= 2**8 else np.uint16 if ranks <= 2**16 else np.uint32, copy=False)
    if ranks <= FEW_RANKS:
        parts = [df.filter(pl.Series(to == rank)) for rank in range(ranks)]  # numpy compares bytes faster than Polars
        return pl.concat(parts), np.array([part.height for part in parts])
    if (to[1:] < to[:-1]).any():
        df = reorder(df, to)
    return df, np.bincount(to, minlength=ranks)


def reorder(df: pl.DataFrame, groups: np.ndarray) -> pl.DataFrame:
    """The rows in the order of their groups' numbers; those of 8 and 16 bits are sorted by radix, in linear time."""
    order = np.argsort(groups, kind="stable").astype(np.uint32 if len(groups) < 2**32 else np.uint64)
    return df.select(pl.all().gather(pl.Series(order)))
