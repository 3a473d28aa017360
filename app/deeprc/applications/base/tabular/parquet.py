"""Parquet files: their columns have types already, and are read one by one, when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from deeprc.core.errors import InputError

MAGIC = b"PAR1"


class ParquetColumns(Sequence[pl.Series]):
    """The columns of a Parquet file; words of a category become strings.

    What nobody asks for is not read: a wide file costs what is used of it.

    Raises
    ------
    InputError
        For a file that is broken (also when a column is read), or has no rows, or a name that holds a zero byte or is a
        pattern.
    """

    def __init__(self, path: Path) -> None:
        # Frames set the threads of Polars for all processes that this one starts: not before a table is read.
        from deeprc.frames import Communicator, scan_parquet

        self.path = path
        # A column is read whole by the rank that makes numbers of it: what a field means, all others tell.
        self._scan = self._read(lambda: scan_parquet(path, Communicator.alone()))
        self._schema = self._scan.schema
        self.names = self._schema.names()
        self.height = self._read(lambda: self._scan.select(pl.len()).collect().to_polars().item())
        if not self.height:
            raise InputError("the file has no rows", where=path)
        if zero := [name for name in self.names if "\0" in name]:
            raise InputError("the name of a column holds a zero byte", where=path, found=repr(zero[0]), fix="rename it")
        self._known: dict[int, pl.Series] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: int) -> pl.Series:
        place = range(len(self))[place]
        if place not in self._known:
            rows = self._read(lambda: self._scan.select(self.names[place]).collect().to_polars())
            column = rows.to_series()
            self._known[place] = column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column
        return self._known[place]

    def is_text(self, place: int) -> bool:
        """Whether a column holds strings, without reading it."""
        return self._schema.dtypes()[place] in (pl.String, pl.Categorical, pl.Enum)

    def where(self, mine: pl.Series) -> ParquetColumns:
        """The same columns of the rows where `mine` is true."""
        return SomeRows(self, mine)

    def _read(self, read):
        try:
            return read()
        except (pl.exceptions.PolarsError, OSError, InputError) as error:
            if isinstance(error, InputError) and error.where is None:  # of the surroundings, not of the file: TMPDIR
                raise
            problem = "this Parquet file cannot be read"
            cause = str(error.__cause__ or error).splitlines()[0]
            raise InputError(problem, where=self.path, found=cause, fix="is it whole? copy or write it anew") from None


class SomeRows(ParquetColumns):
    """Some of the rows of a file's columns, which are read once for all who ask for some."""

    def __init__(self, whole: ParquetColumns, mine: pl.Series) -> None:
        self.whole, self.mine, self.names, self.height = whole, mine, whole.names, int(mine.sum())

    def __getitem__(self, place: int) -> pl.Series:
        return self.whole[place].filter(self.mine)

    def is_text(self, place: int) -> bool:
        return self.whole.is_text(place)
