"""Join: rows of equal keys meet on one rank, which joins them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from deeprc.core.errors import InputError, unknown
from deeprc.frames import cylon
from deeprc.frames.codes import Range, bits, encodable, encode, ranges, union
from deeprc.frames.communicator import Communicator
from deeprc.frames.names import known, renamed, unique
from deeprc.frames.partition import by_hash, homes, reorder, row_hash
from deeprc.frames.skew import Side, heavy, split
from deeprc.frames.sort import sorted_by_codes

HOW = ("inner", "left", "right", "full", "semi", "anti")
NO_NULLS = ("inner", "semi")  # joins that have no row without a key
SMALL = 2**16  # rows; up to here Polars' hash join stays in the processor's cache
CODE, SEEN = "code", "seen"  # columns of our own: the others are called k0, l0, r0, …


def join(
    left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, suffix: str, comm: Communicator
) -> tuple[pl.DataFrame, bool]:
    """Join the rows of all ranks; columns and matches as Polars has them (null matches nothing, NaN matches NaN).

    The arguments are those that `check` let pass.

    Returns
    -------
    This rank's rows, and whether all rows of a key are on the same rank.
    """
    columns = result_columns(left, right, on, how, suffix)
    if (done := cylon.join(left, right, on, how, columns, comm)) is not None:
        return done, False
    keys = {name: f"k{index}" for index, name in enumerate(on)}
    left = renamed(left, [keys.get(name, f"l{index}") for index, name in enumerate(left.columns)])
    right = renamed(right, [keys.get(name, f"r{index}") for index, name in enumerate(right.columns)])
    on = list(keys.values())
    inner = result_columns(left, right, on, how, "_")
    with comm.together():
        # Rows without a key match nothing: they stay where they are, or do not travel at all.
        if how in ("inner", "right", "semi"):
            left = left.drop_nulls(on)
        if how not in ("right", "full"):
            right = right.drop_nulls(on)
            right = right.select(on).unique() if how in ("semi", "anti") else right
    left, right, together = _met(left, right, on, how, comm)
    with comm.together():
        # Rows without a key stayed where they were, if there are any in the result.
        return renamed(local_join(left, right, on, how, "_").select(inner), columns), together and how in NO_NULLS


def _met(
    left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, comm: Communicator
) -> tuple[pl.DataFrame, pl.DataFrame, bool]:
    """Rows of equal keys on the same rank, which is true then; but those of a key that many rows share on all."""
    sides = [
        Side(df, on, partial(homes, df, on, comm, nulls_stay=True), splits)
        for df, splits in ((left, True), (right, how not in ("semi", "anti")))
    ]
    found = heavy(sides, False, comm)
    if found is not None and any(len(each.keys) for each in found):
        return *split(sides, found, how, False, comm), False
    return by_hash(left, on, comm, nulls_stay=True), by_hash(right, on, comm, nulls_stay=True), True


def check(left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, suffix: str) -> None:
    """Raise an error unless the frames can be joined so.

    Raises
    ------
    InputError
        When a key is missing on a side, or has another type there; when two columns would have the same name.
    ConfigError
        For an unknown `how`.
    """
    if how not in HOW:
        raise unknown("join", str(how), HOW)
    if not isinstance(suffix, str):
        raise InputError("the suffix is no text", found=repr(suffix), expected="a text such as '_right'")
    for name in on:
        for side, frame in (("left", left), ("right", right)):
            known([name], frame.columns, f"the {side} frame, which is joined on {name!r},")
        if left.schema[name] != right.schema[name]:
            raise InputError(
                f"the key {name!r} has another type on each side",
                found=f"{left.schema[name]} (left), {right.schema[name]} (right)",
                expected="the same type",
                fix=f"cast one of them: frame.with_columns(pl.col({name!r}).cast(pl.{left.schema[name]}))",
            )
    result_columns(left, right, on, how, suffix)


def result_columns(left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, suffix: str) -> list[str]:
    """The names of the joined columns, as Polars gives them."""
    if how in ("semi", "anti"):
        return left.columns
    ours = [name for name in left.columns if how != "right" or name not in on]
    theirs = [name for name in right.columns if how in ("right", "full") or name not in on]
    taken = set(left.columns)
    renamed = [name + suffix if name in taken and not (how == "right" and name in on) else name for name in theirs]
    columns = [*ours, *renamed]
    unique(columns, "join", "give another suffix=, or rename the column")
    return columns


def local_join(left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, suffix: str) -> pl.DataFrame:
    """Join two local frames; the order of rows and columns is left open.

    Polars' hash join of large frames misses the cache at every row. Keys that have codes are sorted first, which is
    cheap for codes, and joined by merging; others are dealt by hash into buckets that fit the cache.
    """
    if left.height + right.height <= SMALL:
        return left.join(right, on=on, how=how, suffix=suffix)
    taken = set(left.columns).difference(on)
    right = right.rename({name: name + suffix for name in right.columns if name in taken})
    if how == "right":
        return _join(right, left, on, "left")
    if how != "full":
        return _join(left, right, on, how)
    # A full join is a left join, and the rows of the right side that it left out; it keeps both sides' keys.
    right = right.with_columns(pl.col(name).alias(name + suffix) for name in on)
    alone = _join(right, left.select(on), on, "anti").drop(on)
    return pl.concat([_join(left, right, on, "left"), alone], how="diagonal")


def _join(left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str) -> pl.DataFrame:
    """An inner, left, semi or anti join of frames that have only the keys' names in common."""
    without_key = left.filter(pl.any_horizontal(pl.col(on).is_null()))
    left, right = left.drop_nulls(on), right.drop_nulls(on)
    spans = None
    if all(encodable(left.schema[name]) for name in on):
        spans = union(*(ranges([frame[name] for name in on]) for frame in (left, right)))
    joined = _merge(left, right, on, how, spans) if spans and bits(spans) <= 64 else _in_buckets(left, right, on, how)
    if how in ("inner", "semi") or without_key.is_empty():
        return joined
    return pl.concat([joined, without_key], how="diagonal")


def _merge(
    left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, spans: Sequence[Range]
) -> pl.DataFrame:
    """Sort both sides by the codes of their keys, then let Polars merge them, as it does for one sorted number."""
    left, key = _with_sorted_key(left, on, spans)
    right, key = _with_sorted_key(right if how in ("inner", "left") else right.select(on), on, spans)
    right = right.drop([name for name in on if name != key])
    if how in ("semi", "anti"):
        codes = right[key].to_physical().to_numpy()
        first = np.append(True, codes[1:] != codes[:-1])[: len(codes)]
        right = right.filter(pl.Series(first)).with_columns(pl.lit(True).alias(SEEN), pl.col(key).set_sorted())
    joined = left.join(right, on=key, how="inner" if how in ("inner", "semi") else "left")
    if how == "anti":
        joined = joined.filter(pl.col(SEEN).is_null())
    return joined.drop(CODE, SEEN, strict=False)


def _with_sorted_key(df: pl.DataFrame, on: Sequence[str], spans: Sequence[Range]) -> tuple[pl.DataFrame, str]:
    """The frame sorted by its keys, and the column to merge by: the key itself, or the codes of several."""
    keys = [df[name] for name in on]
    df, codes = sorted_by_codes(df, on, encode(keys, spans, [False] * len(on)), spans)
    if len(on) == 1 and not keys[0].dtype.is_float() and keys[0].dtype != pl.Boolean:
        return df.with_columns(pl.col(on[0]).set_sorted()), on[0]
    return df.with_columns(pl.Series(CODE, codes).set_sorted()), CODE


def _in_buckets(left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str) -> pl.DataFrame:
    count = 1 << min(8, ((left.height + right.height) // SMALL).bit_length())
    pairs = zip(_buckets(left, on, count), _buckets(right, on, count), strict=True)
    return pl.concat([a.join(b, on=on, how=how) for a, b in pairs])


def _buckets(df: pl.DataFrame, on: Sequence[str], count: int) -> list[pl.DataFrame]:
    """Rows parted by the lower bits of their keys' hash; the upper bits chose the rank."""
    bucket = (row_hash(df, on) & np.uint64(count - 1)).astype(np.uint8)
    ends = np.cumsum(np.bincount(bucket, minlength=count)).tolist()
    df = reorder(df, bucket)
    return [df[start:end] for start, end in zip([0, *ends], ends, strict=False)]
