"""A rank's columns as tensors of PyTorch and TensorFlow, by DLPack, where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from deeprc.core.errors import InputError
from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator
from deeprc.frames.names import known, names, unique
from deeprc.frames.wire import to_table

if TYPE_CHECKING:
    import tensorflow
    import torch

ALIGNED = 64  # bytes: TensorFlow ends a process that computes with memory which begins elsewhere


def _arrays(df: pl.DataFrame, columns: Sequence[str] | None, what: str) -> dict[str, pa.Array]:
    """Columns of numbers as Arrow arrays, each in one piece: copied only where it is in several.

    Raises
    ------
    InputError
        For a column that is not there, has nulls, or holds no numbers.
    """
    wanted = df.columns if columns is None else names(columns, what)
    unique(wanted, what)
    known(wanted, df.columns)
    for name in wanted:
        dtype, nulls = df.schema[name], df[name].null_count()
        if not (dtype.is_integer() or dtype.is_float()) or dtype in (pl.Int128, pl.UInt128):
            raise InputError(
                f"{what}: column {name!r} holds no numbers that a tensor can have", found=dtype,
                expected="integers up to 64 bits, or floating-point numbers",
                fix=_cure(name, dtype),
            )  # fmt: skip
        if nulls:
            raise InputError(
                f"{what}: column {name!r} has nulls, which a tensor cannot have", found=f"{nulls:,} of {df.height:,}",
                expected="a number in each row", fix=f"fill them: frame.with_columns(pl.col({name!r}).fill_null(0))",
            )  # fmt: skip
    table = to_table(df.select(wanted).rechunk())
    return {name: table.column(name).chunk(0) if len(table) else table.column(name).combine_chunks() for name in wanted}


def _cure(name: str, dtype: pl.DataType) -> str:
    """What makes numbers of a column, where anything does."""
    if dtype == pl.Boolean:
        how = "cast(pl.Int8)"
    elif dtype in (pl.Int128, pl.UInt128):
        how = "cast(pl.Int64)"
    elif dtype.is_decimal() or dtype == pl.String:
        how = "cast(pl.Float64)"
    elif dtype.is_temporal() or dtype in (pl.Categorical, pl.Enum):
        how = "to_physical()"
    else:
        return "leave it out"
    return f"leave it out, or make numbers of it: frame.with_columns(pl.col({name!r}).{how})"


def to_torch(df: pl.DataFrame, columns: Sequence[str] | None, comm: Communicator) -> dict[str, torch.Tensor]:
    """See `Frame.to_torch`."""
    with comm.together("to_torch") as same:
        same[ARGUMENTS] = f"to_torch({columns})"
        import torch

        return {name: torch.from_dlpack(array) for name, array in _arrays(df, columns, "to_torch").items()}


def to_tensorflow(df: pl.DataFrame, columns: Sequence[str] | None, comm: Communicator) -> dict[str, tensorflow.Tensor]:
    """See `Frame.to_tensorflow`."""
    with comm.together("to_tensorflow") as same:
        same[ARGUMENTS] = f"to_tensorflow({columns})"
        import tensorflow as tf

        def tensor(array: pa.Array) -> tensorflow.Tensor:
            begin = array.buffers()[1].address + array.offset * array.type.bit_width // 8
            if begin % ALIGNED or not len(array):
                return tf.constant(array.to_numpy())
            return tf.experimental.dlpack.from_dlpack(array.__dlpack__())

        return {name: tensor(array) for name, array in _arrays(df, columns, "to_tensorflow").items()}
