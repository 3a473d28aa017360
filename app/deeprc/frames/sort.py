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
from deeprc.frames.rounds import ordered
from deeprc.frames.words import Leading, coded, comparable, leading, outlined, united

SAMPLES_PER_RANK = 256  # at least: the ranks' shares then differ by some ten percent
CODES = "codes"  # no column's name here: these are numbers
FEW_RANKS = 16  # up to here a comparison with every splitter is faster than a binary search


def sort(df: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], comm: Communicator) -> pl.DataFrame:
    """Sort the rows of all ranks; rank 0 ends up with the first ones.

    Numbers, times and truth values have codes (see `codes`). When those of all columns do not fit into 64 bits, and of
    texts, the first bits are the code (see `words`), and rows that it leaves equal are compared.
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
        df, _ = sorted_by_codes(df, by, codes, spans, decodable=not any(descending))
        return df.with_columns(pl.col(by[0]).set_sorted(descending=descending[0]))


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
    samples = np.sort(np.concatenate(comm.allgather(codes[_sampled(len(codes), comm)])))
    if not len(samples):
        return np.zeros(comm.size - 1, dtype=codes.dtype)
    return samples[np.arange(1, comm.size) * len(samples) // comm.size]


def _sampled(rows: int, comm: Communicator) -> np.ndarray:
    """Some of this rank's rows, by how many it has."""
    total = comm.allreduce(rows)
    wanted = max(8192, SAMPLES_PER_RANK * comm.size)
    return np.random.default_rng(comm.rank).integers(0, max(rows, 1), min(rows, -(-wanted * rows // max(total, 1))))


def _destinations(codes: np.ndarray, splitters: np.ndarray, comm: Communicator) -> np.ndarray:
    to, tied = _first_homes(codes, splitters, comm)
    return spread_ties(to, tied, np.searchsorted(splitters, splitters, side="right"), comm)


def _first_homes(codes: np.ndarray, splitters: np.ndarray, comm: Communicator) -> tuple[np.ndarray, np.ndarray]:
    """The first rank that each row may go to, and which rows have a splitter's code."""
    if comm.size <= FEW_RANKS:
        to, equal = np.zeros(len(codes), dtype=np.uint8), np.zeros(len(codes), dtype=bool)
        for splitter in splitters:
            to += codes > splitter
            equal |= codes == splitter
        return to, np.flatnonzero(equal)
    to = np.searchsorted(splitters, codes, side="left").astype(np.int64)
    return to, np.flatnonzero(codes == splitters[np.minimum(to, comm.size - 2)])


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
    """Any columns: rows are dealt by the first bits of their keys (see `words`), and compared where these are equal."""
    with comm.together():
        keys = [comparable(df[name]) for name in by]
        outlines = outlined(keys)
    which = leading(united(comm.allgather(outlines)))
    with comm.together():
        codes = coded(keys, descending, which)
    if comm.size > 1:
        with comm.together():
            keyed = pl.DataFrame([*_named(keys, by), pl.Series(CODES, codes)])
        splitters = _splitting_rows(keyed, descending, which, comm)
        if splitters.is_empty():  # on all ranks
            return df
        with comm.together():
            to, tied, last = _first_ranks(keyed, splitters, descending, which, comm)
        with comm.all_or_none():
            to = spread_ties(to, tied, last, comm)
        df = send(df.with_columns(keyed[CODES]), to, comm)
    with comm.together():
        if comm.size > 1:
            codes, df = df[CODES].to_numpy(), df.drop(CODES)
            keys = [comparable(df[name]) for name in by]
        order, _ = ordered(keys, descending, codes, which)
        df = df.rechunk().select(pl.all().gather(pl.Series(order)))
        known = df.schema[by[0]] == pl.String or encodable(df.schema[by[0]])
        return df.with_columns(pl.col(by[0]).set_sorted(descending=descending[0])) if known else df


def _named(keys: Sequence[pl.Series], by: Sequence[str]) -> list[pl.Series]:
    return [key.alias(name) for key, name in zip(keys, by, strict=True)]


def _splitting_rows(
    keyed: pl.DataFrame, descending: Sequence[bool], which: Leading, comm: Communicator
) -> pl.DataFrame:
    """The keys that part the ranks, as `_splitters` of codes; none where there are no rows."""
    chosen = _sampled(keyed.height, comm).astype(np.uint32)
    with comm.together():
        sample = keyed[chosen]
    samples = comm.allgather(sample)
    with comm.together():
        rows = pl.concat(samples)
        order, _ = _ordered(rows, descending, which)
        return rows[order[np.arange(1, comm.size) * len(order) // comm.size]] if len(order) else rows


def _first_ranks(
    keyed: pl.DataFrame, splitters: pl.DataFrame, descending: Sequence[bool], which: Leading, comm: Communicator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `spread_ties` wants to know; only rows that have a splitter's code are compared with its keys."""
    by = keyed.columns[:-1]
    last = _last_equal(splitters.select(by)) + 1
    to, tied = _first_homes(keyed[CODES].to_numpy(), splitters[CODES].to_numpy(), comm)
    if which.end[0] < len(by):
        unsure = keyed[tied.astype(np.uint32)]
        order, _ = _ordered(unsure, descending, which)
        first, equal = _cut(unsure[order], splitters, by, descending, comm.size)
        rows = tied[order]
        to[rows] = first
        tied = rows[equal]
    return to, tied, last


def _ordered(keyed: pl.DataFrame, descending: Sequence[bool], which: Leading) -> tuple[np.ndarray, np.ndarray]:
    *keys, codes = keyed.get_columns()
    return ordered(keys, descending, codes.to_numpy(), which)


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
    return column.to_physical() if column.dtype.is_temporal() else comparable(column)
