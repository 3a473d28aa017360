"""Which rank a row goes to, and rows put in the order of their ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from deeprc.frames.communicator import Communicator
from deeprc.frames.shuffle import shuffle

SEED = 0x5DEECE66D  # Polars hashes alike in every process when the seed is fixed
INTEGERS = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)


def row_hash(df: pl.DataFrame, on: Sequence[str]) -> np.ndarray:
    """A hash (uint64) of the key columns, the same for equal keys on every rank.

    Integers are mixed by splitmix64's finaliser (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
    OOPSLA 2014); anything else is hashed by Polars. Dictionaries are hashed by their text, since their codes differ
    between ranks.
    """
    if len(on) == 1 and (df[on[0]].dtype in INTEGERS or df[on[0]].dtype.is_temporal()):
        column = df[on[0]].to_physical()
        values = (column.fill_null(0) if column.null_count() else column).to_numpy()
        mixed = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64, copy=False).view(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
    keys = df.select(pl.col(name).cast(pl.String) if _is_dictionary(df[name]) else pl.col(name) for name in on)
    return keys.hash_rows(SEED).to_numpy()


def by_hash(df: pl.DataFrame, on: Sequence[str], comm: Communicator, *, nulls_stay: bool = False) -> pl.DataFrame:
    """Bring rows of equal keys to the same rank.

    Parameters
    ----------
    nulls_stay
        Leave rows with a null key where they are: a join matches them with nothing.
    """
    if comm.size == 1:
        return df
    # The upper half of the hash, scaled to the number of ranks.
    to = ((row_hash(df, on) >> np.uint64(32)) * np.uint64(comm.size)) >> np.uint64(32)
    if nulls_stay:
        null = df.select(pl.any_horizontal(pl.col(on).is_null())).to_series()
        if null.any():
            to[null.to_numpy()] = comm.rank
    return send(df, to, comm)


def send(df: pl.DataFrame, to: np.ndarray, comm: Communicator) -> pl.DataFrame:
    """Send every row to the rank that `to` names for it; rows keep their order."""
    to = to.astype(np.uint8 if comm.size <= 2**8 else np.uint16 if comm.size <= 2**16 else np.uint32, copy=False)
    counts = np.bincount(to, minlength=comm.size).astype(np.int64)
    if (to[1:] < to[:-1]).any():
        # 8- and 16-bit numbers are sorted by radix: one or two passes.
        order = np.argsort(to, kind="stable").astype(np.uint32 if len(to) < 2**32 else np.uint64)
        df = df.select(pl.all().gather(pl.Series(order)))
    return shuffle(df, counts, comm)


def _is_dictionary(column: pl.Series) -> bool:
    return column.dtype in (pl.Categorical, pl.Enum)
