"""The distributed dataframe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.errors import InputError
from deeprc.frames import io
from deeprc.frames.communicator import Communicator
from deeprc.frames.groupby import Spec, groupby
from deeprc.frames.join import join
from deeprc.frames.shuffle import OLDEST, require_same_schema, shuffle
from deeprc.frames.sort import sort

Names = str | Sequence[str]


class Frame:
    """A table whose rows are dealt over the ranks of a communicator; any rank may have none.

    Every method is collective: all ranks call it, in the same order. It returns a new frame and leaves this one as it
    is. The order of the rows is that of the ranks, and within a rank that of its rows.

    Parameters
    ----------
    local
        This rank's rows. All ranks have the same columns, also those without rows.
    comm
        The ranks.

    Raises
    ------
    SchemaError
        On every rank, when the ranks' columns differ.
    """

    def __init__(self, local: pl.DataFrame, comm: Communicator) -> None:
        require_same_schema(local.schema, comm)
        self.local, self.comm = local, comm

    def _new(self, local: pl.DataFrame) -> Frame:
        """A frame of rows that were made alike on all ranks: no need to compare their columns."""
        frame = object.__new__(Frame)
        frame.local, frame.comm = local, self.comm
        return frame

    @classmethod
    def from_arrow(cls, table: pa.Table, comm: Communicator) -> Frame:
        """A frame of every rank's Arrow table."""
        return cls(pl.from_arrow(table), comm)

    @classmethod
    def read_parquet(cls, path: str | Path, comm: Communicator, columns: Sequence[str] | None = None) -> Frame:
        """Read a Parquet file, the `*.parquet` of a folder, or the files that match a pattern.

        Row groups are dealt to the ranks, in order. Each rank opens only its files, and reads only `columns`.

        Raises
        ------
        InputError
            On every rank, when there is no such file, or one cannot be read or has other columns than the first.
        """
        return cls(io.read_parquet(path, columns, comm), comm)

    @classmethod
    def read_arrow(cls, path: str | Path, comm: Communicator, columns: Sequence[str] | None = None) -> Frame:
        """Read what `write_arrow` wrote, on any number of ranks; paths and errors as in `read_parquet`."""
        return cls(io.read_arrow(path, columns, comm), comm)

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return self.local.columns

    @property
    def schema(self) -> pl.Schema:
        """The columns' names and Polars types."""
        return self.local.schema

    def rows(self) -> int:
        """The number of rows on all ranks."""
        return self.comm.allreduce(self.local.height)

    def join(self, other: Frame, on: Names, how: str = "inner", suffix: str = "_right") -> Frame:
        """Join with another frame on columns of the same names.

        Parameters
        ----------
        how
            inner, left, right, full, semi or anti, as in Polars: null keys match nothing, a full join keeps the keys
            of both sides.
        suffix
            Appended to the names of the other frame's columns that this one has, too.
        """
        return self._new(join(self.local, other.local, _names(on), how, suffix, self.comm))

    def sort(self, by: Names, descending: bool | Sequence[bool] = False) -> Frame:
        """Sort over all ranks: no row of a rank comes after one of the next rank.

        Nulls come first and NaN is above all numbers, as in Polars. Rows of equal keys keep their order, so the result
        does not depend on the number of ranks.
        """
        by = self._known(by)
        falling = [descending] * len(by) if isinstance(descending, bool) else list(descending)
        return self._new(sort(self.local, by, falling, self.comm))

    def groupby(self, by: Names) -> Groups:
        """Group by one or more columns; null is a group, too. Follow it with `.agg`."""
        return Groups(self, self._known(by))

    def filter(self, *predicates: pl.Expr) -> Frame:
        """The rows where all Polars expressions are true."""
        return self._new(self.local.filter(*predicates))

    def with_columns(self, *expressions: pl.Expr, **named: pl.Expr) -> Frame:
        """Add or replace columns. An expression sees only the rows of its rank: see `halo` for its neighbours'."""
        return self._new(self.local.with_columns(*expressions, **named))

    def select(self, *expressions: str | pl.Expr, **named: pl.Expr) -> Frame:
        """Some columns, or others made from them, rank by rank."""
        return self._new(self.local.select(*expressions, **named))

    def repartition(self) -> Frame:
        """The same rows in the same order, dealt evenly over the ranks."""
        ranks = self.comm.size
        start, total = self.comm.exscan(self.local.height), self.rows()
        # Rank r holds the rows from total * r / ranks on.
        borders = np.arange(ranks + 1) * total // ranks
        counts = np.diff(np.clip(borders - start, 0, self.local.height))
        return self._new(shuffle(self.local, counts, self.comm))

    def halo(self, before: int = 0, after: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The last rows of the ranks before this one, and the first rows of the ranks after it.

        For lags, gaps and windows that reach over a rank's border. The first rank has none before, the last none after;
        a rank with few rows is reached through.

        Parameters
        ----------
        before, after
            How many rows at most.
        """
        borders = self.comm.allgather((self.local.tail(before), self.local.head(after)))
        earlier = [tail for tail, _ in borders[: self.comm.rank]]
        later = [head for _, head in borders[self.comm.rank + 1 :]]
        empty = self.local.clear()
        return pl.concat([empty, *earlier]).tail(before), pl.concat([empty, *later]).head(after)

    def gather(self) -> pa.Table:
        """All rows, on every rank: for small frames."""
        return pa.concat_tables(self.comm.allgather(self.to_arrow()), promote_options="permissive")

    def to_polars(self) -> pl.DataFrame:
        """This rank's rows."""
        return self.local

    def to_arrow(self) -> pa.Table:
        """This rank's rows."""
        return self.local.to_arrow(compat_level=OLDEST)

    def write_parquet(self, folder: str | Path) -> None:
        """Write a folder of Parquet files, one per rank (`part-00000.parquet`, …).

        The folder appears under its name when it is whole, and replaces an earlier one. A failure on any rank is one on
        every rank; what stood there is left as it was.
        """
        io.write(self.local, folder, "parquet", self.comm)

    def write_arrow(self, folder: str | Path) -> None:
        """Write a folder of uncompressed Arrow IPC files, ready to be memory-mapped; otherwise as `write_parquet`."""
        io.write(self.local, folder, "arrow", self.comm)

    def _known(self, names: Names) -> list[str]:
        names = _names(names)
        for name in names:
            if name not in self.local.columns:
                raise InputError(f"the frame has no column {name!r}", found=", ".join(self.columns), expected=name)
        return names


class Groups:
    """A frame's rows by key, to be aggregated."""

    def __init__(self, frame: Frame, by: list[str]) -> None:
        self.frame, self.by = frame, by

    def agg(self, spec: Spec) -> Frame:
        """One row per group, in no particular order; each group is on one rank.

        Parameters
        ----------
        spec
            One or more aggregates per column; the result's columns are called `<column>_<aggregate>`:
            `{"fare": ["mean", "count"], "tip": "max"}` gives `fare_mean`, `fare_count` and `tip_max`.
            Aggregates: count (values), len (rows), sum, mean, min, max, std, var, first, last, and median and
            n_unique, for which all rows travel, not only partial results. Nulls are passed over, but by len, first and
            last.
        """
        return self.frame._new(groupby(self.frame.local, self.by, spec, self.frame.comm))


def _names(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
