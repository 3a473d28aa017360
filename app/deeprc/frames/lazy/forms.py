"""Methods of a lazy frame that give tables of another form, and those for which the order of the rows counts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.communicator import check_same
from deeprc.frames.lazy import build
from deeprc.frames.lazy.build import checked, expressions, refused
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Whole
from deeprc.frames.lazy.parts import Asof, Keyed, Numbered, Sample
from deeprc.frames.lazy.reading import expand
from deeprc.frames.lazy.trees import plain_column
from deeprc.frames.names import known

if TYPE_CHECKING:
    from deeprc.frames.lazy.frame import LazyFrame

AGGREGATES = ("sum", "min", "max", "mean", "median", "std", "var", "count", "null_count", "quantile")
ASOF = (
    *("on", "left_on", "right_on", "strategy", "suffix", "tolerance", "coalesce", "allow_exact_matches"),
    *("allow_parallel", "force_parallel", "check_sortedness"),
)


class Forms:
    """See `frame.LazyFrame`, which has these methods."""

    def _no_value(self, *_: Any) -> bool:
        raise TypeError("a lazy frame has no truth value and is not compared: collect() it first")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _no_value
    __hash__ = object.__hash__

    def fill_null(self, value: Any = None, strategy: str | None = None, **options: Any) -> LazyFrame:
        """A value in the place of null; by a strategy with all rows on one rank."""
        if strategy is None:
            return self._local("fill_null", {"value": value, **options}, None)
        return self._whole("fill_null", {"value": value, "strategy": strategy, **options}, "rows look around")

    def fill_nan(self, value: Any) -> LazyFrame:
        """A value in the place of NaN."""
        return self._local("fill_nan", {"value": value}, None)

    def shift(self, n: int = 1, *, fill_value: Any = None) -> LazyFrame:
        """The values of other rows; with all rows on one rank."""
        return self._whole("shift", {"n": n, "fill_value": fill_value}, "rows look around")

    def reverse(self) -> LazyFrame:
        """The last row first; with all rows on one rank."""
        return self._whole("reverse", {}, "all rows change places")

    def with_row_index(self, name: str = "index", offset: int = 0) -> LazyFrame:
        """The number of each row over all ranks in a first column."""
        schema = checked("with_row_index", self.schema, lambda rows: rows.with_row_index(name, offset))
        return self._with(Numbered(schema=schema, input=self._node, name=name, offset=offset))

    def first(self) -> LazyFrame:
        """The first row."""
        return self.slice(0, 1)

    def last(self) -> LazyFrame:
        """The last row."""
        return self.slice(-1, 1)

    def sample(
        self,
        n: int | None = None,
        *,
        fraction: float | None = None,
        with_replacement: bool = False,
        shuffle: bool | None = None,
        seed: int | None = None,
    ) -> LazyFrame:
        """Rows drawn without replacement, in their order: with a seed the same ones on any number of ranks.

        Which rows a seed means is not what it means to `polars.DataFrame.sample`.
        """
        if with_replacement or shuffle:
            raise InputError(
                f"sample: {'with_replacement' if with_replacement else 'shuffle'}=True does not run over ranks",
                fix="draw without replacement, in order",
            )
        if n is not None and fraction is not None:
            raise InputError("sample: n and fraction are both given", expected="one of them")
        if n is None and fraction is None:
            n = 1
        if not (isinstance(n, int) and n >= 0 if fraction is None else 0 <= fraction <= 1):
            raise InputError("sample: no such number of rows", found=n if fraction is None else fraction)
        if seed is None:
            seed = self.comm.bcast(secrets.randbits(48))
        node = Sample(schema=self.schema, input=self._node, n=n, fraction=fraction, seed=seed)
        return self._with(node)

    def value_counts(
        self, column: str, *, sort: bool = False, name: str | None = None, normalize: bool = False
    ) -> LazyFrame:
        """How often each value of a column occurs, as `polars.Series.value_counts`: a row for each value, and null."""
        counts = pl.col(column).value_counts(sort=sort, name=name, normalize=normalize)
        return self.select(counts.struct.unnest())

    def pivot(self, on: Any, on_columns: Any, *, index: Any = None, values: Any = None, **options: Any) -> LazyFrame:
        """From rows to columns, one for each of `on_columns`; the order of the rows is left open.

        All rows with the same `index` come together.
        """
        if options.get("maintain_order"):
            raise InputError("pivot: maintain_order is not kept over ranks", fix="sort afterwards")

        def call(rows: pl.LazyFrame) -> pl.LazyFrame:
            return rows.pivot(on, on_columns, index=index, values=values, **options)

        schema = checked("pivot", self.schema, call)
        rows = empty(self.schema)
        if index is not None:
            keys = rows.select(index).collect_schema().names()
        else:
            used = [rows.select(each).collect_schema().names() for each in (on, values) if each is not None]
            keys = [name for name in self.columns if not any(name in names for names in used)]
        if values is None and index is None:
            raise InputError("pivot: neither index nor values is given")
        return self._keyed(call, schema, keys, "PIVOT")

    def rolling(self, index_column: Any, *, group_by: Any = None, **options: Any) -> RowWindows:
        """Windows of rows around each row, by `period`, `offset`, `closed`; follow it with `agg`.

        With `group_by` the rows of each key come together, and the order of the result is left open; without it, all
        rows on one rank.
        """
        return RowWindows(self, "rolling", index_column, group_by, options)

    def group_by_dynamic(self, index_column: Any, *, group_by: Any = None, **options: Any) -> RowWindows:
        """Groups of rows by windows of time, as `rolling`."""
        return RowWindows(self, "group_by_dynamic", index_column, group_by, options)

    def join_asof(self, other: LazyFrame, *, by: Any = None, by_left: Any = None, by_right: Any = None, **options: Any):
        """Each row with the other frame's nearest one: `on`, `strategy`, `tolerance`, … as in Polars.

        Both frames are in the order of their `on` column. The rows keep their order.
        """
        if type(other) is not type(self):
            raise InputError("a lazy frame is joined with a lazy frame", found=type(other).__name__, fix="frame.lazy()")
        check_same("join_asof", self.comm, other.comm)
        known([name for name in options if name not in ASOF], ASOF)
        if by is not None and (by_left is not None or by_right is not None):
            raise InputError("join_asof: by= is given, and by_left= or by_right=, too")
        left_by, right_by = _listed(by_left if by is None else by), _listed(by_right if by is None else by)
        known(left_by, self.columns)
        known(right_by, other.columns)
        for a, b in zip(left_by, right_by, strict=False):
            if self.schema[a] != other.schema[b]:
                raise InputError(
                    f"the keys {a!r} and {b!r} are of different types",
                    found=f"{self.schema[a]} (left), {other.schema[b]} (right)",
                    expected="the same type",
                )
        node = Asof(
            schema=self.schema,
            left=self._node,
            right=other._node,
            left_by=left_by,
            right_by=right_by,
            options=options,
        )
        try:
            schema = node.made(empty(self.schema), empty(other.schema)).collect_schema()
        except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
            raise refused("join_asof", error, [*self.columns, *other.columns]) from error
        return self._with(Asof(**{**vars(node), "schema": schema}))

    def describe(
        self, percentiles: Sequence[float] | float | None = (0.25, 0.5, 0.75), *, interpolation: str = "nearest"
    ) -> pl.DataFrame:
        """Statistics of each column, on every rank. Runs the plan; percentiles need all rows on one rank."""
        return pl.LazyFrame.describe(_Described(self), percentiles, interpolation=interpolation)

    def _keyed(self, call: Any, schema: pl.Schema, keys: Sequence[str], what: str) -> LazyFrame:
        return self._with(Keyed(schema=schema, input=self._node, keys=tuple(keys), call=call, what=what))

    def _of_all(self, name: str, arguments: tuple, options: dict[str, Any]) -> LazyFrame:
        """An aggregate of every column, as Polars makes it: null for text that has none."""
        wanted = checked(name, self.schema, lambda rows: getattr(rows, name)(*arguments, **options))
        made = []
        for column, kind in self.schema.items():
            ordered = name in ("min", "max", "count", "null_count")
            if kind == pl.String and not ordered:
                made.append(pl.lit(None, dtype=wanted[column]).alias(column))
            elif kind.is_numeric() or kind == pl.Boolean or (ordered and (kind == pl.String or kind.is_temporal())):
                made.append(getattr(pl.col(column), name)(*arguments, **options))
            else:  # Polars knows what becomes of it
                return self._whole_call(name, arguments, options, wanted)
        plan = build.project(self._node, made, keep=False)
        return self._with(plan) if plan.schema == wanted else self._whole_call(name, arguments, options, wanted)

    def _whole_call(self, name: str, arguments: tuple, options: dict[str, Any], schema: pl.Schema) -> LazyFrame:
        def call(rows: pl.LazyFrame) -> pl.LazyFrame:
            return getattr(rows, name)(*arguments, **options)

        why = "a column of a type that is not aggregated by parts"
        return self._with(Whole(schema=schema, input=self._node, call=call, what=name.upper(), why=why))


class RowWindows:
    """A lazy frame's rows by windows, to be aggregated.

    Parameters
    ----------
    method, options
        Polars' method that makes them, and its arguments.
    """

    def __init__(self, frame: LazyFrame, method: str, index: Any, by: Any, options: dict[str, Any]) -> None:
        self.frame, self.method, self.index, self.by, self.options = frame, method, index, by, options

    def agg(self, *aggs: Any, **named: Any) -> LazyFrame:
        """One row per window."""
        given = expressions(aggs, named)
        frame, keys = self.frame, self._keys()

        def call(rows: pl.LazyFrame) -> pl.LazyFrame:
            groups = getattr(rows, self.method)(self.index, group_by=self.by, **self.options)
            return groups.agg(given)

        schema = checked(self.method, frame.schema, call)
        what = self.method.upper()
        if keys:
            return frame._keyed(call, schema, keys, what)
        why = "windows over all rows; with group_by= these of each key"
        return frame._with(Whole(schema=schema, input=frame._node, call=call, what=what, why=why))

    def _keys(self) -> list[str]:
        found: list[str] = []
        for expression in [] if self.by is None else expressions([self.by]):
            for column in expand(expression, self.frame.schema) or [None]:
                name = None if column is None or column.tree is None else plain_column(column.tree)
                if name is None or name != column.name:
                    raise InputError(
                        f"{self.method}: group_by= is no column", found=expression, fix="make a column of it first"
                    )
                known([name], self.frame.columns)
                found.append(name)
        return found


class _Described:
    """What Polars' own `describe` takes for a lazy frame of its own; `collect` gives the one row on every rank."""

    def __init__(self, frame: LazyFrame) -> None:
        self.frame = frame

    def collect_schema(self) -> pl.Schema:
        return self.frame.schema

    def with_columns(self, *_: Any) -> _Described:
        return self  # sorted columns, for the speed of Polars' percentiles alone

    def select(self, *metrics: pl.Expr) -> _Described:
        return _Described(self.frame.select(*metrics))

    def collect(self) -> pl.DataFrame:
        return pl.from_arrow(self.frame.collect().gather())


def _listed(names: Any) -> tuple[str, ...]:
    return () if names is None else (names,) if isinstance(names, str) else tuple(names)
