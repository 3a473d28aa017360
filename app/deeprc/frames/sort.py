"""Global sort: rows are dealt to the ranks by value, then every rank sorts its own. Stable, whatever the ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from deeprc.frames import cylon
from deeprc.frames.codes import Range, argsort, bits, decode, encodable, encode, ranges, union
from deeprc.frames.communicator import Communicator
from deeprc.frames.names import renamed
from deeprc.frames.partition import send

SAMPLES_PER_RANK = 256  # the ranks' shares then differ by some ten percent
FEW_RANKS = 16  # up to here a comparison with every splitter is faster than a binary search


def sort(df: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], comm: Communicator) -> pl.DataFrame:
    """Sort the rows of all ranks; rank 0 ends up with the first ones.

    Numbers, times and truth values take the fast way by codes (see `codes`), when those of all columns fit into
    64 bits; other keys are sorted and compared by Polars.
    """
    if (done := cylon.sort(df, by, descending, comm)) is not None:
        return done
    columns = df.columns
    df = renamed(df, [str(number) for number in range(df.width)])
    keys = [(str(columns.index(name)), falling) for name, falling in zip(by, descending, strict=True)]
    keys = [(key, falling) for key, falling in keys if df.schema[key] != pl.Null]  # nulls alone order nothing
    if keys:
        df = _sort(df, *zip(*keys, strict=True), comm)
    return renamed(df, columns)


def _sort(df: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], comm: Communicator) -> pl.DataFrame:
    if not all(encodable(df.schema[name]) for name in by):
        return _sort_any(df, by, descending, comm)
    with comm.together():
        spans = ranges([df[name] for name in by])
    spans = union(*comm.allgather(spans))
    if bits(spans) > 64:
        return _sort_any(df, by, descending, comm)
    with comm.together():
        codes = encode([df[name] for name in by], spans, descending)
    if comm.size > 1:
        with comm.all_or_none():
            to = _destinations(codes, _splitters(codes, comm), comm)
        df = send(df, to, comm)
    with comm.together():
        if comm.size > 1:
            codes = encode([df[name] for name in by], spans, descending)
        ordered, _ = sorted_by_codes(df, by, codes, spans, decodable=not any(descending))
        return ordered.with_columns(pl.col(by[0]).set_sorted(descending=descending[0]))


def sorted_by_codes(
    df: pl.DataFrame, by: Sequence[str], codes: np.ndarray, spans: Sequence[Range], *, decodable: bool = True
) -> tuple[pl.DataFrame, np.ndarray]:
    """The frame in the order of its rows' codes, and the codes in order.

    The keys are read off the codes where these are `decodable`: that is cheaper than a gather in random order.
    """
    order, in_order = argsort(codes, bits(spans))
    keys = [df[name] for name in by]
    read_off = decodable and not any(key.dtype.is_float() for key in keys)
    rest = df.drop(by) if read_off else df
    columns = {column.name: column for column in decode(in_order, keys, spans)} if read_off else {}
    if rest.width:
        # A gather from several chunks takes half as long again as one from one chunk, and to make one is cheap.
        columns |= rest.rechunk().select(pl.all().gather(pl.Series(order))).to_dict()
    return pl.DataFrame([columns[name] for name in df.columns]), in_order


def _splitters(codes: np.ndarray, comm: Communicator) -> np.ndarray:
    """The codes that part the ranks (one fewer than ranks), from a sample of every rank's rows by its size."""
    total = comm.allreduce(len(codes))
    wanted = max(8192, SAMPLES_PER_RANK * comm.size)
    mine = min(len(codes), -(-wanted * len(codes) // max(total, 1)))
    sample = codes[np.random.default_rng(comm.rank).integers(0, len(codes), mine)] if mine else codes
    samples = np.sort(np.concatenate(comm.allgather(sample)))
    if not len(samples):
        return np.zeros(comm.size - 1, dtype=codes.dtype)
    return samples[np.arange(1, comm.size) * len(samples) // comm.size]


def _destinations(codes: np.ndarray, splitters: np.ndarray, comm: Communicator) -> np.ndarray:
    if comm.size <= FEW_RANKS:
        to, equal = np.zeros(len(codes), dtype=np.uint8), np.zeros(len(codes), dtype=bool)
        for splitter in splitters:
            to += codes > splitter
            equal |= codes == splitter
        tied = np.flatnonzero(equal)
    else:
        to = np.searchsorted(splitters, codes, side="left").astype(np.int64)
        tied = np.flatnonzero(codes == splitters[np.minimum(to, comm.size - 2)])
    return spread_ties(to, tied, np.searchsorted(splitters, splitters, side="right"), comm)


def spread_ties(to: np.ndarray, tied: np.ndarray, last: np.ndarray, comm: Communicator) -> np.ndarray:
    """Deal rows that equal a splitter evenly over the ranks on both its sides, in their global order.

    A key of half the rows would otherwise go to one rank.

    Parameters
    ----------
    to
        The first rank that each row may go to.
    tied
        The rows that equal splitter number `to[row]`.
    last
        For each splitter, the last rank that rows equal to it may go to.
    """
    groups = to[tied].astype(np.int64)
    counts = np.bincount(groups, minlength=comm.size - 1).astype(np.int64)
    before, total = comm.exscan(counts), comm.allreduce(counts)
    by_group = np.argsort(groups, kind="stable")
    place = np.empty(len(tied), dtype=np.int64)
    place[by_group] = np.arange(len(tied)) - (np.cumsum(counts) - counts)[groups[by_group]]
    shares = last - np.arange(comm.size - 1) + 1
    to[tied] = groups + (before[groups] + place) * shares[groups] // total[groups]
    return to


def _sort_any(df: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], comm: Communicator) -> pl.DataFrame:
    """Any columns: sort locally, cut where the splitters belong, exchange the pieces, sort again."""
    options = {"by": list(by), "descending": list(descending), "maintain_order": True}
    with comm.together():
        df = df.sort(**options)
    if comm.size == 1:
        return df
    total = comm.allreduce(df.height)
    wanted = min(df.height, -(-SAMPLES_PER_RANK * comm.size * df.height // max(total, 1)))
    with comm.together():
        regular = (np.arange(wanted) * df.height // max(wanted, 1)).astype(np.uint32)
        sample = df.select(by)[regular]
    samples = comm.allgather(sample)
    if not total:
        return df
    with comm.together():
        ordered = pl.concat(samples).sort(**options)
        splitters = ordered[(np.arange(1, comm.size) * ordered.height // comm.size).astype(np.uint32)]
        last = _last_equal(splitters) + 1
        to, tied = _cut(df, splitters, by, descending, comm.size)
    with comm.all_or_none():
        to = spread_ties(to, tied, last, comm)
    df = send(df, to, comm)
    with comm.together():
        return df.sort(**options)


def _last_equal(rows: pl.DataFrame) -> np.ndarray:
    """For each row of a sorted frame, the number of the last one that equals it."""
    last = rows.with_row_index("row").select(pl.col("row").max().over(rows.columns))
    return last.to_series().to_numpy().astype(np.int64)


def _cut(
    df: pl.DataFrame, splitters: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], ranks: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first rank that each row of a sorted frame may go to, and which rows equal a splitter."""
    to, tied = np.full(df.height, ranks - 1, dtype=np.int64), [np.empty(0, np.int64)]
    start = 0
    for index in range(ranks - 1):
        low, high = _equal_range(df, splitters[index], by, descending)
        to[start:high] = index
        if high > start:  # else an equal splitter came before
            tied.append(np.arange(max(low, start), high))
        start = max(start, high)
    return to, np.concatenate(tied)


def cut(
    df: pl.DataFrame, borders: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], parts: int
) -> np.ndarray:
    """The part that each row of a sorted frame belongs to; part `n` begins with row `n - 1` of the sorted borders."""
    starts = [_equal_range(df, borders[part], by, descending)[0] for part in range(min(parts - 1, borders.height))]
    return np.searchsorted(np.array(starts, np.int64), np.arange(df.height), side="right")


def _equal_range(df: pl.DataFrame, row: pl.DataFrame, by: Sequence[str], descending: Sequence[bool]) -> tuple[int, int]:
    """Where the rows equal to `row` begin and end in a sorted frame; both the same when there are none."""
    low, high = 0, df.height
    for name, falling in zip(by, descending, strict=True):
        if df.schema[name] == pl.Null:  # nulls alone order nothing
            continue
        column, value = (_comparable(frame[name]) for frame in (df, row))
        piece = column.slice(low, high - low)
        if piece.is_empty():
            break
        left, right = (piece.search_sorted(value, side=side, descending=falling)[0] for side in ("left", "right"))
        low, high = low + left, low + right
    return low, high


def _comparable(column: pl.Series) -> pl.Series:
    """Columns that Polars cannot search are searched as what they are ordered by."""
    if column.dtype == pl.Categorical:
        return column.cast(pl.String)
    return column.to_physical() if column.dtype == pl.Enum or column.dtype.is_temporal() else column
