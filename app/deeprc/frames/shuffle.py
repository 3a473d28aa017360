"""Rows on the wire: every rank sends each other rank its share, column by column, as raw buffers."""

from __future__ import annotations

import zlib

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.errors import DeepRCError
from deeprc.frames.communicator import Communicator

OLDEST = pl.CompatLevel.oldest()  # strings as offsets and bytes, not as views into scattered buffers
WORD = 62  # flags per 64-bit number


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
    arrays = [
        _exchange(column.chunk(0) if column.num_chunks else pa.array([], column.type), nulls, counts, incoming, comm)
        for column, nulls in zip(table.columns, with_nulls, strict=True)
    ]
    received = pa.Table.from_arrays(arrays, schema=table.schema)
    frame = pl.from_arrow(received) if arrays else pl.DataFrame()
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
    words = -(-table.num_columns // WORD)
    flags = [0] * words
    for index, column in enumerate(table.columns):
        flags[index // WORD] |= bool(column.null_count) << index % WORD
    check = zlib.crc32("\n".join(map(_field, schema.items())).encode())
    message = np.empty((comm.size, 2), dtype=np.int64)
    message[:, 0] = counts
    message[:, 1] = check
    heads = comm.alltoall(message)
    # Checked before anything whose length depends on the columns is sent.
    if (heads[:, 1] != check).any():
        require_same_schema(schema, comm)
    every = np.bitwise_or.reduce(comm.alltoall(np.tile(np.array(flags, np.int64), (comm.size, 1))), axis=0)
    return heads[:, 0], [bool(every[i // WORD] >> i % WORD & 1) for i in range(table.num_columns)]


def _exchange(array: pa.Array, nulls: bool, counts: np.ndarray, incoming: np.ndarray, comm: Communicator) -> pa.Array:
    """One column: its values, and which of them are null if any rank has nulls in it."""
    kind, rows = array.type, int(incoming.sum())
    if pa.types.is_null(kind):
        return pa.nulls(rows)
    width = 1 if pa.types.is_boolean(kind) else _width(kind)
    variable = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    if not width and not variable:
        return _exchange_ipc(array, counts, comm)
    valid = _valid(array, counts, incoming, comm) if nulls else None
    if variable:
        buffers = _exchange_bytes(array, counts, incoming, comm)
    elif pa.types.is_boolean(kind):
        bits = _bits(array.buffers()[1], array.offset, len(array))
        received = comm.alltoallv(bits, counts, incoming)
        buffers = [pa.py_buffer(np.packbits(received, bitorder="little"))]
    else:
        unit = np.dtype(f"u{min(width, 8)}")
        per_row = width // unit.itemsize  # decimals have 16 bytes: two numbers
        values = np.frombuffer(array.buffers()[1] or b"", unit)[array.offset * per_row :][: len(array) * per_row]
        buffers = [pa.py_buffer(comm.alltoallv(values, counts * per_row, incoming * per_row))]
    return pa.Array.from_buffers(kind, rows, [valid, *buffers])


def _width(kind: pa.DataType) -> int:
    """Bytes per value of a type whose values stand in one plain buffer, else 0."""
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_temporal, pa.types.is_decimal)
    return kind.bit_width // 8 if any(test(kind) for test in plain) else 0


def _bits(buffer: pa.Buffer | None, offset: int, length: int) -> np.ndarray:
    """A bitmap as one byte per row."""
    if buffer is None:
        return np.ones(length, dtype=np.uint8)
    return np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")[offset : offset + length]


def _valid(array: pa.Array, counts: np.ndarray, incoming: np.ndarray, comm: Communicator) -> pa.Buffer:
    bits = _bits(array.buffers()[0] if array.null_count else None, array.offset, len(array))
    return pa.py_buffer(np.packbits(comm.alltoallv(bits, counts, incoming), bitorder="little"))


def _exchange_bytes(array: pa.Array, counts: np.ndarray, incoming: np.ndarray, comm: Communicator) -> list[pa.Buffer]:
    """Strings: how long each is, then their bytes."""
    _, offset_buffer, data = array.buffers()
    offsets = np.zeros(1, np.int64)
    if len(array):
        offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    lengths = comm.alltoallv(np.diff(offsets), counts, incoming)
    received = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=received[1:])
    ends, incoming_ends = offsets[np.cumsum(counts)], received[np.cumsum(incoming)]
    sizes = np.diff(ends, prepend=offsets[0])
    content = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    return [
        pa.py_buffer(received),
        pa.py_buffer(comm.alltoallv(content, sizes, np.diff(incoming_ends, prepend=0))),
    ]


def _exchange_ipc(array: pa.Array, counts: np.ndarray, comm: Communicator) -> pa.Array:
    """Any other type (lists, structs): as Arrow IPC streams."""
    schema = pa.schema([("column", array.type)])
    messages, start = [], 0
    for count in counts.tolist():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as stream:
            stream.write_batch(pa.record_batch([array.slice(start, count)], schema=schema))
        messages.append(np.frombuffer(sink.getvalue(), np.uint8))
        start += count
    sizes = np.array([len(message) for message in messages], np.int64)
    incoming = comm.alltoall(sizes.reshape(-1, 1)).ravel()
    received = comm.alltoallv(np.concatenate(messages), sizes, incoming)
    ends = np.cumsum(incoming)
    tables = [
        pa.ipc.open_stream(pa.py_buffer(received[end - size : end])).read_all()
        for size, end in zip(incoming, ends, strict=True)
    ]
    return pa.concat_tables(tables).combine_chunks().column(0).chunk(0)
