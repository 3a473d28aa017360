"""The distributed dataframe."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from deeprc.core.errors import InputError
from deeprc.frames import io, tensors
from deeprc.frames import join as joining
from deeprc.frames.agreement import ARGUMENTS, COLUMNS, describe
from deeprc.frames.communicator import Communicator, check_same
from deeprc.frames.groupby import Spec, groupby
from deeprc.frames.lazy.budget import crowded
from deeprc.frames.lazy.frame import LazyFrame
from deeprc.frames.names import Names, flags, known, names, unique
from deeprc.frames.shuffle import shuffle
from deeprc.frames.sort import sort
from deeprc.frames.wire import from_table, to_table

Everything = Callable[[], pl.DataFrame]


class Frame:
    """A table whose rows are dealt over the ranks of a communicator; any rank may have none.

    Every method is collective: all ranks call it, in the same order, with the same arguments (expressions may differ).
    It returns a new frame and leaves this one as it is. The order of the rows is that of the ranks, and within a rank
    that of its rows. A failure of any rank is the same error on every rank.

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
        with comm.together("Frame") as same:
            if not isinstance(local, pl.DataFrame):
                raise InputError("a frame is made of a Polars DataFrame", found=type(local).__name__)
            same[COLUMNS] = describe(local.schema)
        self.local, self.comm = local, comm
        self._together: frozenset[str] | None = None
        self._everything: Everything | None = None

    def _new(self, local: pl.DataFrame, together: Iterable[str] | None = None) -> Frame:
        """A frame of rows that are known to be alike on all ranks: no need to compare their columns again.

        Rows that are equal in all columns of `together` are known to be on the same rank: see `groupby`.
        """
        return Frame._alike(local, self.comm, None if together is None else frozenset(together))

    @classmethod
    def _alike(
        cls,
        local: pl.DataFrame,
        comm: Communicator,
        together: frozenset[str] | None = None,
        everything: Everything | None = None,
    ) -> Frame:
        """The same of any ranks; `everything` makes a frame of all ranks' rows, where these are few and in reach."""
        frame = object.__new__(cls)
        frame.local, frame.comm, frame._together, frame._everything = local, comm, together, everything
        return frame

    @classmethod
    def from_arrow(cls, table: pa.Table, comm: Communicator) -> Frame:
        """A frame of every rank's Arrow table."""
        with comm.together("from_arrow"):
            if not isinstance(table, pa.Table | pa.RecordBatch):
                raise InputError("a frame is made of an Arrow table", found=type(table).__name__)
            unique(table.schema.names, "from_arrow")
            local = from_table(table)
        return cls(local, comm)

    @classmethod
    def read_parquet(cls, path: str | Path, comm: Communicator, columns: Sequence[str] | None = None) -> Frame:
        """Read a Parquet file, the `*.parquet` of a folder, or the files that match a pattern.

        Row groups are dealt to the ranks, in order. Each rank opens only its files, and reads only `columns`; those of
        several files are united by name, as by a scan.

        Raises
        ------
        InputError
            On every rank, when there is no such file, or one cannot be read or has a column of a type that goes with no
            other file's.
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
        with self.comm.together("rows"):
            mine = self.local.height
        return self.comm.allreduce(mine)

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
        with self.comm.together("join") as same:
            if not isinstance(other, Frame):
                raise InputError("a frame is joined with a frame", found=type(other).__name__, fix="Frame(…, comm)")
            check_same("join", self.comm, other.comm)
            on = names(on, "join, on")
            same[ARGUMENTS] = f"join(on={on}, how={how!r}, suffix={suffix!r})"
            joining.check(self.local, other.local, on, how, suffix)
        if allowed := crowded(self.comm, self.local, other.local):
            return self.lazy().join(other.lazy(), on=on, how=how, suffix=suffix).collect(memory=allowed)
        local, together = joining.join(self.local, other.local, on, how, suffix, self.comm)
        return self._new(local, on if together else None)

    def sort(self, by: Names, descending: bool | Sequence[bool] = False) -> Frame:
        """Sort over all ranks: no row of a rank comes after one of the next rank.

        Nulls come first and NaN is above all numbers, as in Polars. Rows of equal keys keep their order, so the result
        does not depend on the number of ranks.
        """
        with self.comm.together("sort") as same:
            by = names(by, "sort")
            known(by, self.columns)
            falling = flags(descending, len(by), "sort: descending")
            same[ARGUMENTS] = f"sort({by}, descending={falling})"
        if allowed := crowded(self.comm, self.local):
            return self.lazy().sort(by, descending=falling).collect(memory=allowed)
        return self._new(sort(self.local, by, falling, self.comm))

    def groupby(self, by: Names) -> Groups:
        """Group by one or more columns; null is a group, too. Follow it with `.agg`, which checks the names."""
        return Groups(self, by)

    def filter(self, *predicates: pl.Expr) -> Frame:
        """The rows where all Polars expressions are true."""
        filtered = self._on_each_rank("filter", lambda: self.local.filter(*predicates))
        filtered._together = self._together
        return filtered

    def with_columns(self, *expressions: pl.Expr, **named: pl.Expr) -> Frame:
        """Add or replace columns. An expression sees only the rows of its rank: see `halo` for its neighbours'."""
        return self._on_each_rank("with_columns", lambda: self.local.with_columns(*expressions, **named))

    def select(self, *expressions: str | pl.Expr, **named: pl.Expr) -> Frame:
        """Some columns, or others made from them, rank by rank."""

        def selected() -> pl.DataFrame:
            if not expressions and not named:
                raise InputError("select: no column is given", expected="names or expressions")
            return self.local.select(*expressions, **named)

        return self._on_each_rank("select", selected)

    def _on_each_rank(self, method: str, work: Callable[[], pl.DataFrame]) -> Frame:
        with self.comm.together(method) as same:
            try:
                local = work()
            except pl.exceptions.ColumnNotFoundError as error:
                missing = re.match(r'unable to find column "(.*?)";', str(error))
                known([missing[1]] if missing else [], self.columns)
                raise
            except pl.exceptions.DuplicateError as error:
                raise InputError(f"{method}: {str(error).splitlines()[0]}", found=", ".join(self.columns)) from error
            same[COLUMNS] = describe(local.schema)
        return self._new(local)

    def repartition(self) -> Frame:
        """The same rows in the same order, dealt evenly over the ranks."""
        with self.comm.together("repartition"):
            mine = self.local.height
        start, total = self.comm.exscan(mine), self.comm.allreduce(mine)
        borders = np.arange(self.comm.size + 1) * total // self.comm.size  # rank r has the rows from total r / ranks on
        counts = np.diff(np.clip(borders - start, 0, mine))
        return self._new(shuffle(lambda: (self.local, counts), self.comm))

    def halo(self, before: int = 0, after: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The last rows of the ranks before this one, and the first rows of the ranks after it.

        For lags, gaps and windows that reach over a rank's border. The first rank has none before, the last none after;
        a rank with few rows is reached through.

        Parameters
        ----------
        before, after
            How many rows at most.
        """
        with self.comm.together("halo") as same:
            same[ARGUMENTS] = f"halo({before}, {after})"
            for count in (before, after):
                if not isinstance(count, int) or count < 0:
                    raise InputError("halo: a number of rows is wanted", found=repr(count), expected="0 or more")
            before, after = min(before, 2**62), min(after, 2**62)  # Polars counts in 64 bits
            mine = self.local.tail(before), self.local.head(after)
        borders, empty = self.comm.allgather(mine), self.local.clear()
        earlier = pl.concat([empty, *(tail for tail, _ in borders[: self.comm.rank])])
        later = pl.concat([empty, *(head for _, head in borders[self.comm.rank + 1 :])])
        return earlier.tail(before), later.head(after)

    def gather(self) -> pa.Table:
        """All rows, on every rank: for small frames."""
        near = self._everything
        with self.comm.together("gather"):
            table = to_table(self.local if near is None else near())
        if near is not None:
            return table
        tables = self.comm.allgather(table)
        with self.comm.together():
            return pa.concat_tables(tables, promote_options="permissive")

    def lazy(self) -> LazyFrame:
        """A plan that begins with this frame's rows."""
        return LazyFrame.of(self)

    def to_polars(self) -> pl.DataFrame:
        """This rank's rows."""
        return self.local

    def to_arrow(self) -> pa.Table:
        """This rank's rows."""
        return to_table(self.local)

    def to_torch(self, columns: Sequence[str] | None = None) -> dict:
        """This rank's rows of columns of numbers (all, when left out) as tensors [rows], in the memory of the frame.

        Clone a tensor before you change it in place: its memory may be that of a file, which cannot be written to.
        """
        return tensors.to_torch(self.local, columns, self.comm)

    def to_tensorflow(self, columns: Sequence[str] | None = None) -> dict:
        """The same for TensorFlow, which takes memory that begins at a multiple of 64 bytes: the rest is copied."""
        return tensors.to_tensorflow(self.local, columns, self.comm)

    def write_parquet(self, folder: str | Path) -> None:
        """Write a folder of Parquet files, one per rank (`part-00000.parquet`, …).

        The folder appears under its name when it is whole, and replaces an earlier one: a folder with anything else
        in it than such files is refused. A failure on any rank is one on every rank; what stood there stays.
        """
        io.write(self.local, folder, "parquet", self.comm)

    def write_arrow(self, folder: str | Path) -> None:
        """Write a folder of uncompressed Arrow IPC files, ready to be memory-mapped; otherwise as `write_parquet`."""
        io.write(self.local, folder, "arrow", self.comm)


class Groups:
    """A frame's rows by key, to be aggregated."""

    def __init__(self, frame: Frame, by: Names) -> None:
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
            The variance is right to the last bit whatever the values are, and the same on any number of ranks (see
            `variance`), as are sums and means of integers and sums of decimals; sums and means of floats may differ
            in their last digits.
        """
        frame = self.frame
        return frame._new(groupby(frame.local, self.by, spec, frame.comm, frame._together), names(self.by, "groupby"))
