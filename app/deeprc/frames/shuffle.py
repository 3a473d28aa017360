"""Rows on the wire: every rank sends each other rank its share, column by column, as raw buffers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.errors import DeepRCError
from deeprc.frames.communicator import Communicator

OLDEST = pl.CompatLevel.oldest()  # strings as offsets and bytes, not as views into scattered buffers
WORD = 62  # flags per 64-bit number
WIDEST = 16  # bytes of the widest number, a decimal


class SchemaError(DeepRCError):
    """Ranks that hold different columns."""


def shuffle(df: pl.DataFrame, counts: np.ndarray, comm: Communicator) -> pl.DataFrame:
    """Send rows to the ranks: the first `counts[0]` rows to rank 0, the next `counts[1]` to rank 1, …

    Parameters
    ----------
    df
        This rank's rows, ordered by destination.
    counts
        Rows per destination (length: the number of ranks).

    Returns
    -------
    The rows for this rank, in the order of the ranks that they came from.

    Raises
    ------
    SchemaError
        On every rank, when the ranks' columns differ.
    """
    if comm.size == 1:
        return df
    dtypes = {name: dtype for name, dtype in df.schema.items() if dtype in (pl.Categorical, pl.Enum)}
    table = df.cast(dict.fromkeys(dtypes, pl.String)).to_arrow(compat_level=OLDEST).combine_chunks()
    incoming, with_nulls = _announce(df.schema, table, counts, comm)
    wire = Wire(comm, counts, incoming, comm.needs_pieces(WIDEST * max(df.height, int(incoming.sum()))))
    arrays = [
        wire.exchange(column.chunk(0) if column.num_chunks else pa.array([], column.type), nulls)
        for column, nulls in zip(table.columns, with_nulls, strict=True)
    ]
    frame = pl.from_arrow(pa.Table.from_arrays(arrays, schema=table.schema))
    return frame.cast({name: df.schema[name] for name in df.columns if frame.schema[name] != df.schema[name]})


def require_same_schema(schema: pl.Schema, comm: Communicator) -> None:
    """Raise a SchemaError on every rank, naming the difference, unless all ranks hold the same columns."""
    schemas = comm.allgather(list(map(_field, schema.items())))
    for rank, other in enumerate(schemas):
        if other != schemas[0]:
            raise SchemaError(
                f"the columns of rank {rank} differ from those of rank 0",
                found=", ".join(other) or "no columns",
                expected=", ".join(schemas[0]) or "no columns",
                fix="give every rank the same column names and types, also a rank without rows",
            )


def _field(item: tuple[str, pl.DataType]) -> str:
    name, dtype = item
    return f"{name}: {dtype!r}"


def _announce(
    schema: pl.Schema, table: pa.Table, counts: np.ndarray, comm: Communicator
) -> tuple[np.ndarray, list[bool]]:
    """Rows that come from each rank, and which columns hold nulls on any rank; one message to each rank."""
    flags = [0] * -(-table.num_columns // WORD)
    for index, column in enumerate(table.columns):
        flags[index // WORD] |= bool(column.null_count) << index % WORD
    check = zlib.crc32("\n".join(map(_field, schema.items())).encode())
    # The columns' check has to come first: the length of the flags depends on the number of columns.
    heads = comm.alltoall(np.column_stack([counts, np.full(comm.size, check)]))
    if (heads[:, 1] != check).any():
        require_same_schema(schema, comm)
    every = np.bitwise_or.reduce(comm.alltoall(np.tile(np.array(flags, np.int64), (comm.size, 1))), axis=0)
    return heads[:, 0], [bool(every[i // WORD] >> i % WORD & 1) for i in range(table.num_columns)]


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

    def exchange(self, array: pa.Array, nulls: bool) -> pa.Array:
        """One column: its values, and which of them are null if any rank has nulls in it."""
        kind, rows = array.type, int(self.incoming.sum())
        if pa.types.is_null(kind):
            return pa.nulls(rows)
        boolean, width = pa.types.is_boolean(kind), value_width(kind)
        variable = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
        if not (boolean or width or variable):
            return self._streams(array)
        valid = self._bits(array.buffers()[0], array) if nulls else None
        if variable:
            return pa.Array.from_buffers(kind, rows, [valid, *self._strings(array)])
        values = self._bits(array.buffers()[1], array) if boolean else self._numbers(array, width)
        return pa.Array.from_buffers(kind, rows, [valid, values])

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

    def _streams(self, array: pa.Array) -> pa.Array:
        """Any other type (lists, structs): as Arrow IPC streams."""
        schema = pa.schema([("column", array.type)])
        messages, start = [], 0
        for count in self.counts.tolist():
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, schema) as stream:
                stream.write_batch(pa.record_batch([array.slice(start, count)], schema=schema))
            messages.append(np.frombuffer(sink.getvalue(), np.uint8))
            start += count
        sizes = np.array([len(message) for message in messages], np.int64)
        incoming = self.comm.alltoall(sizes.reshape(-1, 1)).ravel()
        in_pieces = self.comm.needs_pieces(max(int(sizes.sum()), int(incoming.sum())))
        received = self.comm.alltoallv(np.concatenate(messages), sizes, incoming, in_pieces)
        ends = np.cumsum(incoming)
        tables = [
            pa.ipc.open_stream(pa.py_buffer(received[end - size : end])).read_all()
            for size, end in zip(incoming, ends, strict=True)
        ]
        return pa.concat_tables(tables).combine_chunks().column(0).chunk(0)


def value_width(kind: pa.DataType) -> int:
    """Bytes per value of a type whose values stand in one plain buffer, else 0."""
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_decimal)
    return kind.bit_width // 8 if any(test(kind) for test in plain) else 0
