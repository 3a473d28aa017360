"""Mapped columns as tensors of TensorFlow, and windows that a graph cuts out of them: no generator, no copy before.

TensorFlow takes memory by DLPack as it lies, and ends the process where it does not begin at a multiple of 64 bytes
(`Check failed: IsAligned()`); the columns of an Arrow file begin at multiples of 8. So a tensor begins where the last
64 bytes before its column do, and rows are counted from there: these bytes are the same file's.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from deeprc.core.errors import InputError
from deeprc.learning.mapped import Mapped, MappedPiece
from deeprc.learning.tensorflow.backend import tf

ALIGNED = 64  # bytes: EIGEN_MAX_ALIGN_BYTES, which tensorflow/core/framework/tensor.cc checks


class WindowCut:
    """Windows of columns of numbers of one type, cut out by index within a graph.

    Parameters
    ----------
    rows
        Where the columns are.
    names, length
        The columns, and the rows of a window.

    Raises
    ------
    InputError
        For a column that TensorFlow cannot take without a copy.
    """

    def __init__(self, rows: Mapped, names: Sequence[str], length: int) -> None:
        self.length, self._starts = length, tf.constant(rows.starts[:-1], tf.int64)
        self.columns = [[_lent(piece, name, rows.where) for piece in rows.pieces(name)] for name in names]
        self._skipped = tf.constant([[skipped for _, skipped in pieces] for pieces in self.columns], tf.int64)

    def __call__(self, starts: tf.Tensor) -> tf.Tensor:
        """The windows [windows, length, columns] that begin at the rows `starts`, int64."""
        rows = starts[:, None] + tf.range(self.length, dtype=tf.int64)
        if len(self.columns[0]) == 1:
            taken = [
                tf.gather(pieces[0][0], rows + self._skipped[index, 0]) for index, pieces in enumerate(self.columns)
            ]
            return tf.stack(taken, axis=2)
        flat = tf.reshape(rows, [-1])
        piece = tf.searchsorted(self._starts, flat, side="right") - 1
        count = len(self.columns[0])
        places = tf.dynamic_partition(tf.range(tf.size(flat)), piece, count)
        local = tf.dynamic_partition(flat - tf.gather(self._starts, piece), piece, count)
        taken = []
        for index, pieces in enumerate(self.columns):
            parts = [
                tf.gather(tensor, mine + self._skipped[index, number])
                for number, ((tensor, _), mine) in enumerate(zip(pieces, local, strict=True))
            ]
            taken.append(tf.reshape(tf.dynamic_stitch(places, parts), tf.shape(rows)))
        return tf.stack(taken, axis=2)


def _lent(piece: MappedPiece, name: str, where: object) -> tuple[tf.Tensor, int]:
    """A piece as a tensor that lies where it does, and how many values in it come before the first."""
    values = piece.values
    if piece.first is not None or values.dtype.kind not in "iuf":
        raise InputError(
            f"the column {name!r} cannot be a tensor without a copy", where=where,
            found="truth values" if piece.first is not None else values.dtype,
            expected="integers or floating-point numbers", fix="cast it before the frame is written",
        )  # fmt: skip
    before = values.ctypes.data % ALIGNED
    if before % values.itemsize:
        raise InputError(
            f"the column {name!r} does not lie at a multiple of its values' size", where=where,
            found=f"{before} bytes behind a multiple of {ALIGNED}", expected=f"a multiple of {values.itemsize}",
            fix="write the frame anew, by write_arrow",
        )  # fmt: skip
    memory = pa.foreign_buffer(values.ctypes.data - before, before + values.nbytes, base=values)
    count = len(values) + before // values.itemsize
    array = pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), count, [None, memory])
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__()), before // values.itemsize
