"""Groupby: every rank aggregates its own rows, the groups' partial results meet on one rank, which merges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeprc.errors import InputError, unknown
from deeprc.frames.communicator import Communicator
from deeprc.frames.partition import by_hash
from deeprc.frames.reduce import Reduction, reduce_groups, wide

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
    "std": ("total", "count", "squares"),
    "sum": ("sum",),
    "var": ("total", "count", "squares"),
}
# partial result -> how those of several ranks become one
MERGE = {"count": "sum", "len": "sum", "squares": "merge_squares", "total": "sum"}
COUNTS = ("count", "len", "n_unique")


@dataclass(frozen=True)
class Aggregate:
    """One column of the result: `function` of the rows' `column`."""

    column: str
    function: str

    @property
    def name(self) -> str:
        return f"{self.column}_{self.function}"

    @property
    def expression(self) -> pl.Expr:
        return getattr(pl.col(self.column), self.function)().alias(self.name)

    def part(self, kind: str) -> str:
        """The name of the column that holds a partial result."""
        return part_name(self.column, kind)


def part_name(column: str, kind: str) -> str:
    """The name of the column of a partial result."""
    return f"__{kind}__{column}"


def groupby(df: pl.DataFrame, by: Sequence[str], spec: Spec, comm: Communicator) -> pl.DataFrame:
    """Aggregate the rows of all ranks; each group ends up on one rank, in no particular order.

    Parameters
    ----------
    spec
        Aggregates per column: `{"fare": ["mean", "count"], "tip": "max"}` gives `fare_mean`, `fare_count`, `tip_max`.

    Raises
    ------
    InputError
        When a column is missing, or cannot be aggregated so.
    ConfigError
        For an unknown aggregate.
    """
    wanted = aggregates(df, by, spec)
    schema = _schema(df, by, wanted)
    df = df.select(list(dict.fromkeys([*by, *(a.column for a in wanted)])))
    if any(PARTS[a.function] is None or not _has_parts(a, df.schema[a.column]) for a in wanted):
        result = by_hash(df, by, comm).group_by(by).agg(a.expression for a in wanted)
        return result.cast(schema)
    parts = {(a.part(kind), kind): a.column for a in wanted for kind in PARTS[a.function]}
    partial = reduce_groups(df, by, [Reduction(name, kind, column) for (name, kind), column in parts.items()])
    if comm.size > 1:
        merges = [
            Reduction(
                name,
                MERGE.get(kind, kind),
                name,
                (part_name(column, "count"), part_name(column, "total")) if kind == "squares" else (),
            )
            for (name, kind), column in parts.items()
        ]
        partial = reduce_groups(by_hash(partial, by, comm), by, merges)
    return partial.select(*by, *(_finish(a) for a in wanted)).cast(schema)


def aggregates(df: pl.DataFrame, by: Sequence[str], spec: Spec) -> list[Aggregate]:
    """The aggregates that `spec` asks for, checked."""
    for column in (*by, *spec):
        if column not in df.columns:
            raise InputError(f"the frame has no column {column!r}", found=", ".join(df.columns), expected=column)
    wanted = [
        Aggregate(column, function)
        for column, functions in spec.items()
        for function in ([functions] if isinstance(functions, str) else functions)
    ]
    for aggregate in wanted:
        if aggregate.function not in PARTS:
            raise unknown("aggregate", aggregate.function, PARTS)
    return wanted


def _schema(df: pl.DataFrame, by: Sequence[str], wanted: Sequence[Aggregate]) -> dict[str, pl.DataType]:
    """The result's types: Polars', but counts and integer sums have 64 bits: a frame may have over 2^32 rows."""
    types = {name: df.schema[name] for name in by}
    for aggregate in wanted:
        try:
            types |= df.clear().select(aggregate.expression).schema
        except pl.exceptions.InvalidOperationError as error:
            raise InputError(
                f"column {aggregate.column!r} has no {aggregate.function}: {str(error).splitlines()[0]}",
                found=df.schema[aggregate.column],
            ) from error
        if aggregate.function in COUNTS:
            types[aggregate.name] = pl.Int64()
        if aggregate.function == "sum" and not types[aggregate.name].is_float():
            types[aggregate.name] = wide(df.schema[aggregate.column])
    return types


def _has_parts(aggregate: Aggregate, dtype: pl.DataType) -> bool:
    """Whether the partial results, which for means and variances are floats, hold all that is needed."""
    return "total" not in PARTS[aggregate.function] or dtype.is_integer() or dtype.is_float() or dtype == pl.Boolean


def _finish(aggregate: Aggregate) -> pl.Expr:
    """The aggregate from its partial results."""
    count = pl.col(aggregate.part("count"))
    match aggregate.function:
        case "mean":
            value = pl.when(count > 0).then(pl.col(aggregate.part("total")) / count)
        case "var" | "std":
            value = pl.when(count > 1).then(pl.col(aggregate.part("squares")) / (count - 1))
            value = value.sqrt() if aggregate.function == "std" else value
        case function:
            value = pl.col(aggregate.part(function))
    return value.alias(aggregate.name)
