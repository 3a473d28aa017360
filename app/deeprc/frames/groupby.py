"""Groupby: every rank aggregates its own rows, the groups' partial results meet on one rank, which merges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from deeprc.core.errors import InputError, unknown
from deeprc.frames import cylon
from deeprc.frames.agreement import ARGUMENTS
from deeprc.frames.communicator import Communicator
from deeprc.frames.lazy.budget import crowded
from deeprc.frames.lazy.step import amount
from deeprc.frames.names import Names, known, names, renamed, unique
from deeprc.frames.partition import hashed
from deeprc.frames.reduce import Reduction, expression, reduce_groups, wide
from deeprc.frames.shuffle import exchange, pack, places
from deeprc.frames.variance import partial_sums, variances
from deeprc.frames.wire import spelled

Spec = Mapping[str, str | Sequence[str]]

# aggregate -> the partial results that it is made of; None: it needs all rows of a group at once
PARTS: dict[str, tuple[str, ...] | None] = {
    "count": ("count",),
    "first": ("first",),
    "last": ("last",),
    "len": ("len",),
    "max": ("max",),
    "mean": ("total", "count"),
    "median": None,
    "min": ("min",),
    "n_unique": None,
    "std": (),  # of the column's variance, which has partial sums of its own
    "sum": ("sum",),
    "var": (),
}
SPREAD = ("std", "var")
# partial result -> how those of several ranks become one
MERGE = {"count": "sum", "len": "sum", "total": "sum"}
COUNTS = ("count", "len", "n_unique")


@dataclass(frozen=True)
class Aggregation:
    """One column of the result.

    Parameters
    ----------
    name
        What it is called.
    function, column
        The aggregate, and the column of `GroupPlan.rows` that it is made of.
    dtype, source
        The types of the result and of the column.
    """

    name: str
    function: str
    column: str
    dtype: pl.DataType
    source: pl.DataType

    @property
    def spread(self) -> bool:
        """Whether it is made of exact sums (see `variance`)."""
        return self.function in SPREAD and _is_number(self.source)

    @property
    def may_overflow(self) -> bool:
        """Whether it is a sum that has no place for more digits: Polars gives some other number then."""
        return self.function == "sum" and isinstance(self.source, pl.Decimal)

    @property
    def parts(self) -> tuple[str, ...] | None:
        """The partial results that it is made of; None when it needs all rows of a group at once."""
        if self.function in ("mean", *SPREAD) and not _is_number(self.source):
            return None
        return PARTS[self.function]

    @property
    def whole(self) -> pl.Expr:
        """The aggregate of all rows of a group, by Polars."""
        return getattr(pl.col(self.column), self.function)().alias(f"{self.column}_{self.function}")

    @property
    def finished(self) -> pl.Expr:
        """The aggregate from its partial results."""
        match self.function:
            case _ if self.parts is None:
                value = pl.col(f"{self.column}_{self.function}")
            case "mean":
                total, count = pl.col(f"{self.column}_total"), pl.col(f"{self.column}_count")
                value = pl.when(count > 0).then(total.cast(pl.Float64) / count)
            case "std":
                value = pl.col(f"{self.column}_variance").sqrt()
            case "var":
                value = pl.col(f"{self.column}_variance")
            case function:
                value = pl.col(f"{self.column}_{function}")
        return value.cast(self.dtype)


@dataclass(frozen=True)
class GroupPlan:
    """A groupby, checked. Inside it keys are called k0, k1, … and columns c0, c1, …: no user's name is in the way.

    Parameters
    ----------
    rows
        This rank's rows.
    by, keys
        The keys' own names, and those in `rows`.
    types
        The keys' own types. In `rows` text stands for dictionaries in lists and structs: grouping by them may panic.
    wanted
        The result's columns.
    """

    rows: pl.DataFrame
    by: tuple[str, ...]
    keys: tuple[str, ...]
    types: tuple[pl.DataType, ...]
    wanted: tuple[Aggregation, ...]

    @property
    def whole(self) -> bool:
        """Whether all rows of a group are needed at once, not only partial results."""
        return any(a.parts is None for a in self.wanted)

    @property
    def reductions(self) -> list[Reduction]:
        """The partial results of local rows, each once."""
        found = {(a.column, kind) for a in self.wanted for kind in a.parts or ()}
        found |= {(a.column, "total") for a in self.wanted if a.may_overflow}
        return [Reduction(f"{column}_{kind}", kind, column) for column, kind in sorted(found)]

    @property
    def merges(self) -> list[Reduction]:
        """How partial results of several ranks become one."""
        return [Reduction(r.name, MERGE.get(r.kind, r.kind), r.name) for r in self.reductions]


def plan(df: pl.DataFrame, by: Sequence[str], spec: Spec) -> GroupPlan:
    """Check what is asked for.

    Parameters
    ----------
    spec
        Aggregates per column: `{"fare": ["mean", "count"], "tip": "max"}` gives `fare_mean`, `fare_count`, `tip_max`.

    Raises
    ------
    InputError
        When a column is missing, cannot be aggregated so, or two of the result have the same name.
    ConfigError
        For an unknown aggregate.
    """
    if not isinstance(spec, Mapping):
        raise InputError("agg: the aggregates are given per column", found=repr(spec), expected='{"fare": ["mean"]}')
    known([*by, *names(list(spec), "agg")], df.columns)
    pairs = [(column, function) for column in spec for function in names(spec[column], f"agg, column {column!r}")]
    for _, function in pairs:
        if function not in PARTS:
            raise unknown("aggregate", function, PARTS)
    unique([*by, *(f"{c}_{f}" for c, f in pairs)], "agg", "rename the key first, with frame.select(…)")
    inside = {column: f"c{index}" for index, column in enumerate(spec)}
    keys = tuple(f"k{index}" for index in range(len(by)))
    schema = df.schema  # made anew each time that it is asked for
    types = tuple(schema[name] for name in by)
    text = [spelled(kind) if kind.is_nested() else kind for kind in types]
    grouped = {key: df[name].cast(kind) for key, name, kind in zip(keys, by, text, strict=True)}
    rows = pl.DataFrame(grouped | {c: df[n] for n, c in inside.items()})
    wanted = (Aggregation(f"{c}_{f}", f, inside[c], _type(schema[c], c, f), schema[c]) for c, f in pairs)
    return GroupPlan(rows, tuple(by), keys, types, tuple(wanted))


def groupby(
    df: pl.DataFrame, by: Names, spec: Spec, comm: Communicator, together: frozenset[str] | None = None
) -> pl.DataFrame:
    """Aggregate the rows of all ranks; each group ends up on one rank, in no particular order. Errors as of `plan`.

    Rows that are equal in the columns `together` are on the same rank already, the same for all ranks: where these are
    among the keys, nothing travels.
    """
    with comm.together("agg") as same:
        planned = plan(df, names(by, "groupby"), spec)
        same[ARGUMENTS] = f"groupby({list(planned.by)}).agg: {', '.join(a.name for a in planned.wanted)}"
    done = cylon.groupby(planned.rows, planned.keys, [(a.column, a.function) for a in planned.wanted], comm)
    if done is not None:
        kinds = [*planned.types, *(a.dtype for a in planned.wanted)]
        cast = [series.cast(kind).alias(f"{n}") for n, (series, kind) in enumerate(zip(done, kinds, strict=True))]
        return renamed(pl.DataFrame(cast), [*planned.by, *(a.name for a in planned.wanted)])
    if planned.whole and (allowed := crowded(comm, df)):
        raise InputError(
            "groupby: all rows of a group are needed at once, and other rows have no room beside those here",
            found=f"{amount(comm.allreduce(df.estimated_size(), 'max'))} held by a rank",
            expected=f"at most {amount(allowed)}",
            fix="lazy().group_by(…).agg(…).collect(memory=…) goes by way of the disk; or give the ranks more memory",
        )
    stays = comm.size == 1 or (together is not None and together <= set(planned.by))
    told = None if stays else places(comm)
    with comm.together(counts=told) as same:
        rows = planned.rows if planned.whole else _reduced(planned, planned.rows, planned.reductions)
        load = None if stays else pack(*hashed(rows, planned.keys, comm), same, comm, told)
    arrived = (lambda: rows) if load is None else exchange(load, comm)
    spread = list(dict.fromkeys(a.column for a in planned.wanted if a.spread))
    with comm.together():
        result = arrived()
        if planned.whole:
            result = _whole_groups(planned, result)
        elif not stays:
            result = _reduced(planned, result, planned.merges)
        if not spread:
            return _finished(planned, result)
    for column in spread:
        result = _with_variance(planned, result, column, comm, stays)
    with comm.together():
        return _finished(planned, result)


def _reduced(plan: GroupPlan, rows: pl.DataFrame, reductions: Sequence[Reduction]) -> pl.DataFrame:
    with _digits(plan):
        return reduce_groups(rows, plan.keys, reductions)


def _whole_groups(plan: GroupPlan, rows: pl.DataFrame) -> pl.DataFrame:
    schema = rows.schema
    parts = [expression(reduction, schema[reduction.column]) for reduction in plan.reductions]
    with _digits(plan):
        return rows.group_by(plan.keys).agg(*parts, *(a.whole for a in plan.wanted if a.parts is None))


def _with_variance(plan: GroupPlan, result: pl.DataFrame, column: str, comm: Communicator, stays: bool) -> pl.DataFrame:
    keys = list(plan.keys)
    told = None if stays else places(comm)
    with comm.together(counts=told) as same:
        partial = partial_sums(plan.rows.select(*keys, column), keys, column)
        load = None if stays else pack(*hashed(partial, keys, comm), same, comm, told)
    arrived = (lambda: partial) if load is None else exchange(load, comm)
    with comm.together():
        return result.join(variances(arrived(), keys, f"{column}_variance"), on=keys, how="left", nulls_equal=True)


def _finished(plan: GroupPlan, result: pl.DataFrame) -> pl.DataFrame:
    for aggregate in plan.wanted:
        if aggregate.may_overflow:
            _check_digits(aggregate, result[f"{aggregate.column}_total"])
    numbered = [a.finished.alias(str(number)) for number, a in enumerate(plan.wanted)]
    keys = [pl.col(key).cast(kind) for key, kind in zip(plan.keys, plan.types, strict=True)]
    return renamed(result.select(*keys, *numbered), [*plan.by, *(a.name for a in plan.wanted)])


@contextmanager
def _digits(plan: GroupPlan) -> Iterator[None]:
    try:
        yield
    except pl.exceptions.ComputeError as error:
        sums = [a.name for a in plan.wanted if a.may_overflow]
        if not sums:
            raise
        raise _too_many_digits(", ".join(sums), str(error)) from error


def _check_digits(aggregate: Aggregation, totals: pl.Series) -> None:
    largest = totals.abs().max() or 0.0
    if largest >= 10.0 ** (38 - aggregate.source.scale):
        raise _too_many_digits(aggregate.name, f"about {largest:.6g}, with {aggregate.source.scale} decimal places")


def _too_many_digits(name: str, found: str) -> InputError:
    return InputError(
        f"{name}: a sum has more digits than a decimal can have",
        found=found,
        expected="38 digits in all",
        fix="cast the column to Float64, or to a decimal with fewer decimal places",
    )


def _type(source: pl.DataType, column: str, function: str) -> pl.DataType:
    """The type of an aggregate: Polars', but counts and integer sums have 64 bits: a frame may have over 2^32 rows."""
    try:
        empty = pl.DataFrame(schema={"c": source})
        dtype = empty.select(getattr(pl.col("c"), function)()).schema["c"]
    except pl.exceptions.InvalidOperationError as error:
        raise InputError(
            f"column {column!r} has no {function}: {str(error).splitlines()[0]}",
            found=source,
        ) from error
    if function in COUNTS:
        return pl.Int64()
    return wide(source) if function == "sum" and not dtype.is_float() else dtype


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype == pl.Boolean
