"""Columns as Arrow arrays that can travel, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import pyarrow as pa

from deeprc.core.errors import InputError

OLDEST = pl.CompatLevel.oldest()  # strings as offsets and bytes, not as views into scattered buffers
HALF = pl.Series([2**64], dtype=pl.UInt128)


def spelled(dtype: pl.DataType) -> pl.DataType:
    """The type with text in the place of dictionaries."""
    match dtype:
        case pl.Categorical() | pl.Enum():
            return pl.String()
        case pl.List():
            return pl.List(spelled(dtype.inner))
        case pl.Array():
            return pl.Array(spelled(dtype.inner), dtype.size)
        case pl.Struct():
            return pl.Struct({field.name: spelled(field.dtype) for field in dtype.fields})
    return dtype


def to_arrays(df: pl.DataFrame) -> list[pa.Array]:
    """One array per column, or two for 128-bit integers, which Arrow does not have.

    Raises
    ------
    InputError
        For a type that exists only in Polars.
    """
    return [array for column in df for array in _arrays(column)]


def from_arrays(arrays: Sequence[pa.Array], schema: pl.Schema) -> pl.DataFrame:
    """The frame that `to_arrays` took apart."""
    frame = pl.from_arrow(pa.Table.from_arrays(list(arrays), names=[str(index) for index in range(len(arrays))]))
    columns = iter(frame.get_columns())
    return pl.DataFrame({name: _column(columns, dtype) for name, dtype in schema.items()})


def from_table(table: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    """The rows of an Arrow table.

    Raises
    ------
    InputError
        For a column whose type Polars does not have.
    """
    try:
        return pl.from_arrow(table)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # a panic of Polars is not an Exception
        for field, column in zip(table.schema, table.columns, strict=True):
            try:
                pl.from_arrow(column)
            except BaseException as why:
                raise InputError(
                    f"column {field.name!r} cannot be read: {str(why).splitlines()[0]}",
                    found=field.type,
                    fix="cast it to another Arrow type, or leave it out",
                ) from error
        raise


def to_table(df: pl.DataFrame) -> pa.Table:
    """The frame as an Arrow table.

    Raises
    ------
    InputError
        For a column that Arrow cannot hold.
    """
    for name, dtype in df.schema.items():
        if dtype in (pl.Int128, pl.UInt128):
            raise InputError(
                f"Arrow has no integers of 128 bits, as column {name!r} has",
                found=dtype,
                fix=f"take the rows with to_polars(), or cast: "
                f"frame.with_columns(pl.col({name!r}).cast(pl.Decimal(38, 0)))",
            )
    try:
        return df.to_arrow(compat_level=OLDEST)
    except BaseException as error:  # a panic of Polars is not an Exception
        for column in df:
            _arrow(column)  # its error names the column
        raise error


def _arrays(column: pl.Series) -> Iterator[pa.Array]:
    if column.dtype in (pl.Int128, pl.UInt128):
        bits = column.reinterpret(signed=False)
        for half in (bits % HALF, bits // HALF):
            yield half.cast(pl.UInt64).to_arrow()
    else:
        text = spelled(column.dtype)
        yield _arrow(column if column.dtype == text else column.cast(text))


def _arrow(column: pl.Series) -> pa.Array:
    try:
        whole = column.to_frame().to_arrow(compat_level=OLDEST).column(0)
        if whole.num_chunks == 1:
            return whole.chunk(0)
        try:
            return whole.combine_chunks()  # faster than Polars' rechunk
        except IndexError:  # of nulls that Polars has sliced, as `replace_strict` with no default does
            return column.rechunk().to_frame().to_arrow(compat_level=OLDEST).column(0).combine_chunks()
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:  # a panic of Polars is not an Exception
        raise InputError(
            f"column {column.name!r} cannot be given to other ranks or written: its type has no Arrow form",
            found=column.dtype,
            fix="cast it, or leave it out",
        ) from error


def _column(columns: Iterator[pl.Series], dtype: pl.DataType) -> pl.Series:
    column = next(columns)
    if dtype in (pl.Int128, pl.UInt128):
        whole = next(columns).cast(pl.UInt128) * HALF + column.cast(pl.UInt128)
        return whole.reinterpret(signed=dtype == pl.Int128)
    return column if column.dtype == dtype else column.cast(dtype)
