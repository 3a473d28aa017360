"""Rows on their way: through a node's memory (see `shared`), or from rank to rank by MPI, as each column's buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.frames import shared
from deeprc.frames.agreement import COLUMNS, describe
from deeprc.frames.agreement import SchemaError as SchemaError
from deeprc.frames.communicator import Communicator
from deeprc.frames.topology import DIRECT
from deeprc.frames.wire import from_arrays, to_arrays

WORD = 62  # flags per 64-bit number
WIDEST = 16  # bytes of the widest number, a decimal

Parcel = pa.Array | list[np.ndarray]  # a column in plain buffers, or one message to each rank


@dataclass(frozen=True)
class Load:
    """Rows ready to travel.

    Parameters
    ----------
    df, counts
        The rows, ordered by destination, and how many go to each rank.
    arrays, parcels
        Their columns, and these as they travel by MPI; none in a world of one.
    parts
        What has been written to the node's memory, where ranks can read it there.
    told
        Of each rank (a row) where its parts are, as `shared.Parts.place` gives it, where all ranks are on one node.
    """

    df: pl.DataFrame
    counts: np.ndarray
    arrays: Sequence[pa.Array] = ()
    parcels: Sequence[Parcel] = ()
    parts: shared.Parts | None = None
    told: np.ndarray | None = None


def shuffle(
    arrange: Callable[[], tuple[pl.DataFrame, np.ndarray]],
    comm: Communicator,
    counted: np.ndarray | None = None,
    otherwise: Callable[[], pl.DataFrame] | None = None,
) -> pl.DataFrame:
    """Send rows to the ranks: the first `counts[0]` rows to rank 0, the next `counts[1]` to rank 1, …

    Parameters
    ----------
    arrange
        Gives this rank's rows, ordered by destination, and `counts`: the rows per destination (length: the number of
        ranks). A failure of it on one rank is one of every rank.
    counted
        Whole numbers (ranks × n) of which `arrange` fills in this rank's row; afterwards those of all ranks
        stand there.
    otherwise
        Makes a frame without rows: a failure in reading what came is told in the next agreement then (see
        `Communicator.later`), which saves one here.

    Returns
    -------
    The rows for this rank, in the order of the ranks that they came from.

    Raises
    ------
    SchemaError
        On every rank, when the ranks' columns differ.
    """
    told = places(comm)
    both = counted if told is None else told if counted is None else np.hstack([told, counted])
    with comm.together(counts=both) as same:
        load = pack(*arrange(), same, comm, told)
        if both is not None and both is not counted:
            both[comm.rank] = [*told[comm.rank], *(() if counted is None else counted[comm.rank])]
    if both is not None and both is not counted:
        told[:] = both[:, : told.shape[1]]
        if counted is not None:
            counted[:] = both[:, told.shape[1] :]
    arrived = exchange(load, comm)
    if otherwise is not None:
        return comm.later(arrived, otherwise)
    with comm.together():
        return arrived()


def places(comm: Communicator) -> np.ndarray | None:
    """Where ranks of one node tell each other what they have written (see `Load.told`); None on several nodes."""
    return np.zeros((comm.size, 2 + comm.size), np.int64) if comm.shared else None


def pack(
    df: pl.DataFrame, counts: np.ndarray, same: dict[str, str], comm: Communicator, told: np.ndarray | None
) -> Load:
    """Make rows ready to travel; a local step, within `Communicator.together`, which gave `same` and has `told`."""
    if comm.topology is None:
        return Load(df, counts)
    same[COLUMNS] = describe(df.schema)
    if comm.topology.way != DIRECT:
        parts = shared.write(df, counts, comm.rank, comm.topology)
        if told is not None:
            told[comm.rank] = parts.place
        return Load(df, counts, parts=parts, told=told)
    arrays = to_arrays(df)
    return Load(df, counts, arrays, [a if travels_plain(a.type) else _messages(a, counts) for a in arrays])


def exchange(load: Load, comm: Communicator) -> Callable[[], pl.DataFrame]:
    """Send what all ranks have packed.

    Returns
    -------
    What makes a frame of the rows that came: another local step, which may fail on one rank; before the next agreement.
    """
    if comm.topology is None:
        return lambda: load.df
    if load.parts is not None:
        with comm.all_or_none():
            return shared.exchange(load.parts, load.told, load.df.schema, comm)
    with comm.all_or_none():
        incoming, with_nulls = _announce(load.arrays, load.counts, comm)
        largest = WIDEST * max(load.df.height, int(incoming.sum()))
        wire = Wire(comm, load.counts, incoming, comm.needs_pieces(largest))
        received = [wire.exchange(*parcel) for parcel in zip(load.parcels, with_nulls, strict=True)]
    return lambda: from_arrays([column() for column in received], load.df.schema)


def travels_plain(kind: pa.DataType) -> bool:
    """Whether a column of this type travels as its buffers; lists and structs do as Arrow IPC streams."""
    plain = (pa.types.is_null, pa.types.is_boolean, pa.types.is_large_string, pa.types.is_large_binary)
    return value_width(kind) > 0 or any(test(kind) for test in plain)


def _messages(array: pa.Array, counts: np.ndarray) -> list[np.ndarray]:
    schema = pa.schema([("column", array.type)])
    messages, start = [], 0
    for count in counts.tolist():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as stream:
            stream.write_batch(pa.record_batch([array.slice(start, count)], schema=schema))
        messages.append(np.frombuffer(sink.getvalue(), np.uint8))
        start += count
    return messages


def _announce(arrays: Sequence[pa.Array], counts: np.ndarray, comm: Communicator) -> tuple[np.ndarray, list[bool]]:
    """Rows that come from each rank, and which columns hold nulls on any rank; one message to each rank."""
    flags = [0] * -(-len(arrays) // WORD)
    for index, array in enumerate(arrays):
        flags[index // WORD] |= bool(array.null_count) << index % WORD
    heads = comm.alltoall(np.column_stack([counts, np.tile(np.array(flags, np.int64), (comm.size, 1))]))
    every = np.bitwise_or.reduce(heads[:, 1:], axis=0)
    return heads[:, 0], [bool(every[i // WORD] >> i % WORD & 1) for i in range(len(arrays))]


@dataclass(frozen=True)
class Wire:
    """What is the same for all columns of a shuffle.

    Parameters
    ----------
    counts, incoming
        Rows to each rank, and rows from each.
    in_pieces
        Whether a column of numbers is too large for one message (see `Communicator.alltoallv`).
    """

    comm: Communicator
    counts: np.ndarray
    incoming: np.ndarray
    in_pieces: bool

    def exchange(self, parcel: Parcel, nulls: bool) -> Callable[[], pa.Array]:
        """Send one column: its values, and which of them are null if any rank has nulls in it.

        Returns
        -------
        What makes a column of the bytes that came. It may fail, the exchange may not: the others would wait in vain.
        """
        if isinstance(parcel, list):
            return self._streams(parcel)
        kind, rows = parcel.type, int(self.incoming.sum())
        if pa.types.is_null(kind):
            return lambda: pa.nulls(rows)
        valid = self._bits(parcel.buffers()[0], parcel) if nulls else None
        if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
            buffers = [valid, *self._strings(parcel)]
        elif pa.types.is_boolean(kind):
            buffers = [valid, self._bits(parcel.buffers()[1], parcel)]
        else:
            buffers = [valid, self._numbers(parcel, value_width(kind))]
        return lambda: pa.Array.from_buffers(kind, rows, buffers)

    def _numbers(self, array: pa.Array, width: int) -> pa.Buffer:
        unit = np.dtype(f"u{min(width, 8)}")
        per_row = width // unit.itemsize  # decimals have 16 bytes: two numbers
        values = np.frombuffer(array.buffers()[1] or b"", unit)[array.offset * per_row :][: len(array) * per_row]
        return pa.py_buffer(self.comm.alltoallv(values, self.counts * per_row, self.incoming * per_row, self.in_pieces))

    def _bits(self, bitmap: pa.Buffer | None, array: pa.Array) -> pa.Buffer:
        """A bitmap, which travels as one byte per row; none at all means that every bit is set."""
        if bitmap is None:
            bits = np.ones(len(array), dtype=np.uint8)
        else:
            bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")
            bits = bits[array.offset : array.offset + len(array)]
        received = self.comm.alltoallv(bits, self.counts, self.incoming, self.in_pieces)
        return pa.py_buffer(np.packbits(received, bitorder="little"))

    def _strings(self, array: pa.Array) -> list[pa.Buffer]:
        """Offsets and bytes; how long each string is travels first."""
        _, offset_buffer, data = array.buffers()
        offsets = np.zeros(1, np.int64)
        if len(array):
            offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
        lengths = self.comm.alltoallv(np.diff(offsets), self.counts, self.incoming, self.in_pieces)
        received = np.append(0, np.cumsum(lengths))
        content = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
        sizes = np.diff(offsets[np.cumsum(self.counts)], prepend=offsets[0])
        incoming = np.diff(received[np.cumsum(self.incoming)], prepend=0)
        in_pieces = self.comm.needs_pieces(max(len(content), int(received[-1])))
        return [pa.py_buffer(received), pa.py_buffer(self.comm.alltoallv(content, sizes, incoming, in_pieces))]

    def _streams(self, messages: list[np.ndarray]) -> Callable[[], pa.Array]:
        sizes = np.array([len(message) for message in messages], np.int64)
        incoming = self.comm.alltoall(sizes.reshape(-1, 1)).ravel()
        in_pieces = self.comm.needs_pieces(max(int(sizes.sum()), int(incoming.sum())))
        received = self.comm.alltoallv(np.concatenate(messages), sizes, incoming, in_pieces)
        ends = np.cumsum(incoming)
        streams = [received[end - size : end] for size, end in zip(incoming, ends, strict=True)]
        return lambda: _joined(streams)


def _joined(streams: Sequence[np.ndarray]) -> pa.Array:
    tables = [pa.ipc.open_stream(pa.py_buffer(stream)).read_all() for stream in streams]
    return pa.concat_tables(tables).combine_chunks().column(0).chunk(0)


def value_width(kind: pa.DataType) -> int:
    """Bytes per value of a type whose values stand in one plain buffer, else 0."""
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_decimal)
    return kind.bit_width // 8 if any(test(kind) for test in plain) else 0
