"""Rows of Arrow files, mapped into memory: windows and batches are cut out of the files' own pages.

A frame that ranks wrote (`Frame.write_arrow`) is a file for each rank. Here they are one table again, whose rows are
numbered through, as the sampler numbers its samples: a rank maps all of them, and the pages that it never asks for it
never reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from deeprc.core.errors import InputError, unknown

NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_date, pa.types.is_timestamp)


@dataclass(frozen=True)
class MappedPiece:
    """A column's values that lie next to each other in a file.

    Attributes
    ----------
    values
        The numbers as they lie in the file; of truth values the bytes, eight of them in each.
    first
        The bit of the first of them, where they are bits; else None.
    """

    values: np.ndarray
    first: int | None = None

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The values at `rows` of this piece, in the same shape."""
        if self.first is None:
            return self.values[rows]
        bits = rows + self.first
        return (self.values[bits >> 3] >> (bits & 7).astype(np.uint8) & 1).astype(bool)

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """The values of windows [len(starts), length] that begin at `starts`."""
        if self.first is not None:
            return self.take(starts[:, None] + np.arange(length))
        step = self.values.strides[0]
        shape = (len(self.values) - length + 1, length)
        return np.ndarray(shape, self.values.dtype, self.values, strides=(step, step))[starts]


class Mapped:
    """The rows of an Arrow table, however many pieces it is in.

    Parameters
    ----------
    table
        Its columns are not copied: where they lie in mapped files (`mapped`), they stay there.
    where
        What errors name.
    gaps
        Whether columns may have values that are missing, in whose place is whatever the file has there; whoever allows
        it asks for none of them.
    """

    def __init__(self, table: pa.Table, where: object = None, *, gaps: bool = False) -> None:
        self.table, self.where, self.gaps = table, where, gaps
        self._batches = [batch for batch in table.to_batches() if batch.num_rows]
        self._pieces: dict[str, list[MappedPiece]] = {}
        self._kinds: dict[str, np.dtype] = {}  # Arrow takes longer to tell them than a window is cut in

    def __len__(self) -> int:
        return int(self.starts[-1])

    @cached_property
    def starts(self) -> np.ndarray:
        """The row that each piece begins with, and, last, how many rows there are."""
        return np.cumsum([0, *(batch.num_rows for batch in self._batches)])

    def pieces(self, name: str) -> list[MappedPiece]:
        """A column as it lies in the files, a piece for each.

        Raises
        ------
        InputError
            For a column that is not there, has nulls, or holds neither numbers nor truth values.
        """
        if name not in self._pieces:
            if name not in self.table.column_names:
                raise unknown("column", name, self.table.column_names, where=self.where)
            self._pieces[name] = [self._piece(name, batch.column(name)) for batch in self._batches]
        return self._pieces[name]

    def column(self, name: str) -> np.ndarray:
        """A whole column: the memory of the file where it is one piece, else its pieces joined."""
        pieces = self.pieces(name)
        if len(pieces) == 1 and pieces[0].first is None:
            return pieces[0].values
        counts = np.diff(self.starts)
        whole = [piece.take(np.arange(count)) for piece, count in zip(pieces, counts, strict=True)]
        return np.concatenate(whole) if whole else np.empty(0, self.dtype(name))

    def dtype(self, name: str) -> np.dtype:
        """The type of a column's values."""
        if name not in self._kinds:
            kind = self.table.schema.field(name).type
            self._kinds[name] = np.dtype(np.int32 if pa.types.is_date32(kind) else kind.to_pandas_dtype())
        return self._kinds[name]

    def take(self, name: str, rows: np.ndarray) -> np.ndarray:
        """The values of a column at `rows`, in the same shape."""
        found = np.empty(rows.shape, self.dtype(name))
        for piece, places, local in self._by_piece(rows):
            found[places] = self.pieces(name)[piece].take(local)
        return found

    def windows(self, names: str | Sequence[str], starts: np.ndarray, length: int) -> np.ndarray:
        """The windows of `length` rows that begin at `starts`; see `MappedWindows.windows`."""
        return MappedWindows(self, starts, length).windows(names)

    def _by_piece(self, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray | slice, np.ndarray]]:
        """Of each piece in which some of `rows` lie its number, their places in `rows`, and where in it they lie."""
        if len(self._batches) == 1:
            yield 0, np.s_[:], rows
            return
        numbers = np.searchsorted(self.starts, rows, "right") - 1
        for piece in np.unique(numbers):
            places = numbers == piece
            yield int(piece), places if rows.ndim > 1 else np.flatnonzero(places), rows[places] - self.starts[piece]

    def _piece(self, name: str, array: pa.Array) -> MappedPiece:
        kind = array.type
        if array.null_count and not self.gaps:
            raise InputError(
                f"the column {name!r} has values that are missing", where=self.where, found=f"{array.null_count} nulls",
                expected="a number in each row", fix="fill them before the frame is written",
            )  # fmt: skip
        if pa.types.is_boolean(kind):
            return MappedPiece(np.frombuffer(array.buffers()[1], np.uint8), array.offset)
        if not any(is_kind(kind) for is_kind in NUMBERS):
            raise InputError(
                f"the column {name!r} holds no numbers", where=self.where, found=kind,
                expected="integers, floating-point numbers, truth values, days or times",
                fix="give another column, or cast it before the frame is written",
            )  # fmt: skip
        values = np.frombuffer(array.buffers()[1], self.dtype(name))
        return MappedPiece(values[array.offset : array.offset + len(array)])


class MappedWindows:
    """Windows of `length` rows that begin at the rows `starts`: where they lie is found once for all columns.

    Raises
    ------
    IndexError
        For a window that reaches over an end of the rows.
    """

    def __init__(self, rows: Mapped, starts: np.ndarray, length: int) -> None:
        if len(starts) and not 0 <= starts.min() <= starts.max() <= len(rows) - length:
            raise IndexError(f"windows of {length} rows from {starts.min()} to {starts.max()}, of {len(rows)} rows")
        self.rows, self.starts, self.length = rows, starts, length
        numbers = np.searchsorted(rows.starts, starts, "right") - 1
        across = rows.starts[numbers + 1] < starts + length if len(rows.starts) > 2 else np.zeros(len(starts), bool)
        self.across, self.dealt = np.flatnonzero(across), []
        for number in range(len(rows.starts) - 1):
            places = np.flatnonzero((numbers == number) & ~across)
            if len(places):
                self.dealt.append((number, places, starts[places] - rows.starts[number]))

    def windows(self, names: str | Sequence[str], first: int = 0, length: int | None = None) -> np.ndarray:
        """Columns within the windows, or from their row `first` on, `length` of them.

        Returns
        -------
        numpy.ndarray
            [windows, length] of one column; of several, [windows, length, columns], of the type that holds them all.
        """
        single, names = isinstance(names, str), [names] if isinstance(names, str) else names
        length = self.length - first if length is None else length
        rows, shape = self.rows, (len(self.starts), length, len(names))
        kind = np.result_type(*map(rows.dtype, names)) if names else np.float32
        if not names or not len(self.starts):
            return np.empty(shape[:2] if single else shape, kind)
        if single and len(self.dealt) == 1 and not len(self.across):
            number, _, local = self.dealt[0]
            return rows.pieces(names[0])[number].windows(local + first, length)
        found = np.empty(shape, kind)
        over = self.starts[self.across, None] + np.arange(first, first + length)
        for index, name in enumerate(names):
            pieces = rows.pieces(name)
            for number, places, local in self.dealt:
                found[places, :, index] = pieces[number].windows(local + first, length)
            if len(over):
                found[self.across, :, index] = rows.take(name, over)
        return found[:, :, 0] if single else found


def mapped(path: Path, *, gaps: bool = False) -> Mapped:
    """The rows of an Arrow file, or of a folder with the parts that ranks wrote (`part-*.arrow`), one after the other.

    The memory is the files' own, mapped so that what is written to it stays with this process: a tensor that is
    changed in place changes no file.

    Raises
    ------
    InputError
        For a path without such files, a file that is cut off or none of Arrow's, or other columns than the first's.
    """
    files = [path] if path.is_file() else sorted(path.glob("part-*.arrow"))
    if not files:
        raise InputError("no Arrow file", where=path, expected="a file, or a folder of part-*.arrow")
    tables = [_opened(file) for file in files]
    for file, table in zip(files, tables, strict=True):
        if not table.schema.equals(tables[0].schema):
            raise InputError(
                "the columns differ from those of the first part", where=file, found=_told(table.schema),
                expected=_told(tables[0].schema), fix="write the frame anew",
            )  # fmt: skip
    return Mapped(pa.concat_tables(tables), path, gaps=gaps)


def _opened(file: Path) -> pa.Table:
    try:
        memory = np.memmap(file, np.uint8, mode="c")  # on writing a page is copied: the file stays as it is
        return pa.ipc.open_file(pa.py_buffer(memory)).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        found = str(error).splitlines()[0]
        raise InputError("not a whole Arrow file", where=file, found=found, fix="make it anew") from error


def _told(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
