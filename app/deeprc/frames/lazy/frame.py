"""The lazy distributed dataframe, with Polars' names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames import io
from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator, check_same
from deeprc.frames.lazy import build
from deeprc.frames.lazy.build import checked, expressions, only, plain
from deeprc.frames.lazy.forms import AGGREGATES, Forms
from deeprc.frames.lazy.groups import LazyGroupBy
from deeprc.frames.lazy.held import HeldRows
from deeprc.frames.lazy.joins import joined_in_order
from deeprc.frames.lazy.nodes import Local, Node, Project, Slice, Source, Unique, Whole
from deeprc.frames.lazy.outline import Outline
from deeprc.frames.lazy.parted import write_parted
from deeprc.frames.lazy.room import carried_out
from deeprc.frames.lazy.run import PlanRun, planned
from deeprc.frames.lazy.sorts import Flags, ordered
from deeprc.frames.lazy.step import Step, described, text

if TYPE_CHECKING:
    from deeprc.frames.frame import Frame


class LazyFrame(Forms):
    """A plan of what to do with a table whose rows are dealt over the ranks.

    Its methods have the names and the meaning of those of `polars.LazyFrame`; nothing is read or sent before `collect`.
    All ranks make the same plan. What Polars leaves open (the order of rows after a join or a groupby) is left open
    here, too; what it promises holds on any number of ranks.

    Parameters
    ----------
    node
        The plan; made by `scan_parquet`, `Frame.lazy` and the methods of this class.
    comm
        The ranks.
    """

    def __init__(self, node: Node, comm: Communicator) -> None:
        self._node, self.comm = node, comm
        self._last: Step | None = None

    @classmethod
    def of(cls, frame: Frame) -> LazyFrame:
        """The plan that gives a frame's rows as they are."""
        return cls(Source(schema=frame.schema, rows=HeldRows(frame)), frame.comm)

    def _with(self, node: Node) -> LazyFrame:
        return LazyFrame(node, self.comm)

    # What it is

    def collect_schema(self) -> pl.Schema:
        """The columns' names and types; known without a run."""
        return self._node.schema

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return self._node.columns

    @property
    def schema(self) -> pl.Schema:
        """The columns' names and types."""
        return self._node.schema

    # Columns

    def select(self, *exprs: Any, **named: Any) -> LazyFrame:
        """Columns made of columns; aggregates alone give one row."""
        return self._with(build.project(self._node, expressions(exprs, named), keep=False))

    def with_columns(self, *exprs: Any, **named: Any) -> LazyFrame:
        """Columns besides those that there are, or in their place."""
        return self._with(build.project(self._node, expressions(exprs, named), keep=True))

    def drop(self, *columns: Any, strict: bool = True) -> LazyFrame:
        """Without these columns."""
        schema = checked("drop", self.schema, lambda rows: rows.drop(*columns, strict=strict))
        return self._with(only(self._node, schema.names()))

    def rename(self, mapping: Mapping[str, str] | Callable[[str], str], *, strict: bool = True) -> LazyFrame:
        """Columns under other names, which a mapping tells or a function makes."""
        given = {name: mapping(name) for name in self.columns} if callable(mapping) else mapping
        schema = checked("rename", self.schema, lambda rows: rows.rename(dict(given), strict=strict))
        made = tuple(plain(old, new) for old, new in zip(self.columns, schema.names(), strict=True))
        return self._with(Project(schema=schema, input=self._node, made_columns=made, keep=False))

    def cast(self, dtypes: Any, *, strict: bool = True) -> LazyFrame:
        """Columns as other types: a type for all, or types by name."""
        if not isinstance(dtypes, Mapping):
            return self.with_columns(pl.all().cast(dtypes, strict=strict))
        return self.with_columns(
            (pl.col(what) if isinstance(what, str | pl.DataType | type) else what).cast(dtype, strict=strict)
            for what, dtype in dtypes.items()
        )

    # Rows

    def filter(self, *predicates: Any, **constraints: Any) -> LazyFrame:
        """The rows where all predicates are true; truth values in a list are those of all ranks' rows."""
        made = build.predicates(predicates) + [pl.col(name) == value for name, value in constraints.items()]
        return self._with(build.filtered(self._node, made))

    def drop_nulls(self, subset: str | Sequence[str] | None = None) -> LazyFrame:
        """The rows without nulls in these columns, or in all."""
        names = self.columns if subset is None else [subset] if isinstance(subset, str) else list(subset)
        return self._local("drop_nulls", {"subset": names}, names)

    def explode(self, *columns: Any, **options: Any) -> LazyFrame:
        """A row for each element of lists."""
        given = [c for each in columns for c in ([each] if isinstance(each, str | pl.Expr) else each)]
        return self._local("explode", {"columns": given, **options}, None)

    def unpivot(
        self,
        on: str | Sequence[str] | None = None,
        *,
        index: str | Sequence[str] | None = None,
        variable_name: str | None = None,
        value_name: str | None = None,
    ) -> LazyFrame:
        """From columns to rows; the order of the rows is left open."""
        arguments = {"on": on, "index": index, "variable_name": variable_name, "value_name": value_name}
        return self._local("unpivot", arguments, None)

    def sort(
        self,
        by: Any,
        *more_by: Any,
        descending: Flags = False,
        nulls_last: Flags = False,
        maintain_order: bool = False,
    ) -> LazyFrame:
        """All rows in order, over all ranks."""
        options = {"descending": descending, "nulls_last": nulls_last}
        return self._with(ordered(self._node, expressions([by, *more_by]), options, maintain_order))

    def head(self, n: int = 5) -> LazyFrame:
        """The first rows."""
        return self.slice(0, n)

    limit = head

    def tail(self, n: int = 5) -> LazyFrame:
        """The last rows."""
        return self.slice(-n, n) if n else self.slice(0, 0)

    def slice(self, offset: int, length: int | None = None) -> LazyFrame:
        """Some consecutive rows; a negative offset counts from the end."""
        schema = checked("slice", self.schema, lambda rows: rows.slice(offset, length))
        return self._with(Slice(schema=schema, input=self._node, offset=offset, length=length))

    def top_k(self, k: int, *, by: Any, reverse: Flags = False) -> LazyFrame:
        """The k rows with the largest values; nulls come last."""
        falls = not reverse if isinstance(reverse, bool) else [not each for each in reverse]
        return self.sort(by, descending=falls, nulls_last=True).head(k)

    def bottom_k(self, k: int, *, by: Any, reverse: Flags = False) -> LazyFrame:
        """The k rows with the smallest values; nulls come last."""
        return self.sort(by, descending=reverse, nulls_last=True).head(k)

    def unique(
        self, subset: str | Sequence[str] | None = None, *, keep: str = "any", maintain_order: bool = False
    ) -> LazyFrame:
        """One row of those that are equal in these columns, or in all."""
        names = self.columns if subset is None else [subset] if isinstance(subset, str) else list(dict.fromkeys(subset))
        schema = checked("unique", self.schema, lambda rows: rows.unique(names, keep=keep))
        node = Unique(schema=schema, input=self._node, subset=tuple(names), keep=keep, maintain_order=maintain_order)
        return self._with(node)

    # Of several rows

    def group_by(self, *by: Any, maintain_order: bool = False, **named: Any) -> LazyGroupBy:
        """Rows by key; null is a key, too. Follow it with `agg`."""
        return LazyGroupBy(self, expressions(by, named), maintain_order)

    def join(
        self,
        other: LazyFrame,
        on: Any = None,
        how: str = "inner",
        *,
        left_on: Any = None,
        right_on: Any = None,
        suffix: str = "_right",
        nulls_equal: bool = False,
        coalesce: bool | None = None,
        maintain_order: str | None = None,
    ) -> LazyFrame:
        """Join with another lazy frame: inner, left, right, full, semi, anti or cross."""
        if not isinstance(other, LazyFrame):
            raise InputError("a lazy frame is joined with a lazy frame", found=type(other).__name__, fix="frame.lazy()")
        check_same("join", self.comm, other.comm)
        options = {"suffix": suffix, "nulls_equal": nulls_equal, "coalesce": coalesce}
        keys = (on, left_on, right_on)
        return self._with(joined_in_order(self._node, other._node, keys, how, options, maintain_order))

    def __getattr__(self, name: str) -> Any:
        """`sum`, `min`, … of every column."""
        if name in AGGREGATES:
            return lambda *arguments, **options: self._of_all(name, arguments, options)
        if (hasattr(pl.LazyFrame, name) or hasattr(pl.DataFrame, name)) and not name.startswith("_"):
            raise InputError(
                f"LazyFrame.{name} is not among what runs over ranks",
                fix="collect(), and go on with the rows of each rank; or ask for it",
            )
        raise AttributeError(name)

    # Out of it

    def pipe(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """`function(self, …)`."""
        return function(self, *arguments, **options)

    def collect(self, *, memory: int | str | None = None) -> Frame:
        """Run the plan; every rank gets a frame with its share of the rows.

        Parameters
        ----------
        memory
            What each rank may use for rows, in bytes or as a text such as `2 GB`; otherwise half its share of what the
            job (`mem_mb`) or the cgroup allows, if they do. Rows beyond it go by way of files in TMPDIR.

        Raises
        ------
        StorageError
            On every rank, when that disk has no room.
        """
        from deeprc.frames.frame import Frame

        with self.comm.together("collect") as same:
            same[ARGUMENTS] = described(self._node) + ("" if memory is None else f", memory={memory!r}")
            plan, cut = planned(self._node, self.comm.size, same)
        with carried_out(self.comm, plan, memory) as ranks:
            piece = ranks.hold(ranks.spread(PlanRun(plan, ranks, cut).result()))
        self._last = piece.step
        return Frame._alike(piece.held.select(self.columns), self.comm, None, piece.only(self.columns))

    def sink_parquet(
        self,
        folder: str | Path,
        *,
        partition_by: str | Sequence[str] | None = None,
        memory: int | str | None = None,
    ) -> None:
        """Run the plan and write a folder of Parquet files, one per rank; it appears when it is whole.

        An earlier one is replaced; a folder with anything else in it is refused, before the plan runs.

        Parameters
        ----------
        partition_by
            Columns of whole numbers, text or days, which then stand in the names of folders (`year=2013/…`).
        memory
            As in `collect`.
        """
        io.check_target(folder, self.comm)
        frame = self.collect(memory=memory)
        if partition_by is None:
            frame.write_parquet(folder)
        else:
            write_parted(frame.local, folder, partition_by, self.comm)

    def explain(self, *, measured: bool = False) -> str:
        """The plan as it will run, with what each exchange sends: estimated, or `measured` by the last `collect`."""
        if measured:
            if self._last is None:
                raise InputError("nothing is measured yet", fix="call collect() of this lazy frame first")
            return text(self._last)
        with self.comm.together("explain") as same:
            plan, cut = planned(self._node, self.comm.size, same)
        return text(PlanRun(plan, Outline(self.comm), cut).result().step)

    # How it is made

    def _local(self, method: str, arguments: dict[str, Any], reads: Iterable[str] | None) -> LazyFrame:
        schema = checked(method, self.schema, lambda rows: getattr(rows, method)(**arguments))
        columns = None if reads is None else tuple(reads)
        return self._with(Local(schema=schema, input=self._node, method=method, arguments=arguments, reads=columns))

    def _whole(self, method: str, arguments: dict[str, Any], why: str) -> LazyFrame:
        def call(rows: pl.LazyFrame) -> pl.LazyFrame:
            return getattr(rows, method)(**arguments)

        schema = checked(method, self.schema, call)
        return self._with(Whole(schema=schema, input=self._node, call=call, what=method.upper(), why=why))
