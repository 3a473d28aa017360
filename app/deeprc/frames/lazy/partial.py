"""Aggregates made of partial ones: what each rank computes of its rows, how these become one, and the end of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.reading import Column, aggregated, needs
from deeprc.frames.lazy.trees import Tree, expression_of, key, replaced

WIDE = pl.UInt64()  # counts travel with 64 bits, and end as what Polars makes of them, or as an error


@dataclass(frozen=True)
class Partials:
    """Aggregates in two steps.

    Parameters
    ----------
    first
        What every rank computes of its own rows.
    merge
        The same columns from those of several ranks.
    last
        The columns wanted, from merged ones.
    """

    first: Sequence[pl.Expr]
    merge: Sequence[pl.Expr]
    last: Sequence[pl.Expr]


def partials(columns: Sequence[Column], schema: Mapping[str, pl.DataType], taken: Sequence[str]) -> Partials | None:
    """The two steps of aggregates; None when one of them needs all rows of a group at once.

    Parameters
    ----------
    schema
        The columns that they are made of.
    taken
        Names that partial results must not have: the keys.
    """
    first: dict[str, pl.Expr] = {}
    merge: dict[str, pl.Expr] = {}
    finals: dict[str, Tree] = {}
    names = _names(taken)
    for column in columns:
        if column.tree is None:
            return None
        of_column = needs(column.tree)
        if of_column.rows or of_column.windows or of_column.whole is not None:
            return None
        for aggregate in of_column.aggregates:
            if key(aggregate) in finals:
                continue
            dtype = empty(schema).select(expression_of(aggregate).alias("x")).collect_schema()["x"]
            two = _steps(aggregate, schema, dtype)
            if two is None:
                return None
            made, final = two
            called = {name: next(names) for name in made}
            parts = {name: pl.col(new) for name, new in called.items()}
            for name, (expression, how) in made.items():
                first[called[name]] = expression.alias(called[name])
                merged = _pooled(parts) if how is _pooled else how(parts[name])
                merge[called[name]] = merged.alias(called[name])
            finals[key(aggregate)] = final(parts)
    last = []
    for column in columns:
        slots: dict[str, pl.Expr] = {}
        last.append(_finished(column, finals, slots))
    return Partials(list(first.values()), list(merge.values()), last)


def _names(taken: Sequence[str]):
    number = 0
    while True:
        name = f"partial {number}"
        if name not in taken:
            yield name
        number += 1


def _finished(column: Column, finals: Mapping[str, pl.Expr], slots: dict) -> pl.Expr:
    """The column with the ends of its aggregates in the place of these."""
    from deeprc.frames.lazy.trees import tree_of

    trees = {text: tree_of(final) for text, final in finals.items()}
    tree = replaced(column.tree, lambda node: trees.get(key(node)) if isinstance(node, dict | str) else None)
    return expression_of(tree).alias(column.name)


def _steps(aggregate: Tree, schema: Mapping[str, pl.DataType], dtype: pl.DataType):
    """Of one aggregate: its partial results with how each is merged, and the end of it."""
    whole = expression_of(aggregate)
    if aggregate == "Len":
        return {"n": (pl.len().cast(WIDE), pl.Expr.sum)}, lambda made: made["n"].cast(dtype)
    inner_tree = aggregated(aggregate)
    inner = expression_of(inner_tree)
    source = empty(schema).select(inner.alias("x")).collect_schema()["x"]
    match aggregate:
        case {"Agg": {"Count": _}} | {"Function": {"function": "NullCount"}}:
            return {"n": (whole.cast(WIDE), pl.Expr.sum)}, lambda made: made["n"].cast(dtype)
        case {"Agg": {"Sum": _}} if source == pl.Boolean:
            return {"n": (whole.cast(WIDE), pl.Expr.sum)}, lambda made: made["n"].cast(dtype)
        case {"Agg": {"Sum": _}} if source.is_numeric() or isinstance(source, pl.Duration):
            return {"sum": (whole, pl.Expr.sum)}, lambda made: made["sum"].cast(dtype)
        case {"Agg": {"Min": _}}:
            return {"min": (whole, pl.Expr.min)}, lambda made: made["min"]
        case {"Agg": {"Max": _}}:
            return {"max": (whole, pl.Expr.max)}, lambda made: made["max"]
        case {"Agg": {"Mean": _}} if source.is_numeric() or source == pl.Boolean:
            made = {"sum": (inner.cast(pl.Float64).sum(), pl.Expr.sum), "n": (inner.count().cast(WIDE), pl.Expr.sum)}
            return made, lambda made: pl.when(made["n"] > 0).then(made["sum"] / made["n"]).cast(dtype)
        case {"Agg": {"Var": [_, ddof]} | {"Std": [_, ddof]}} if source.is_numeric() or source == pl.Boolean:
            value, n = inner.cast(pl.Float64), inner.count()
            made = {
                "n": (n.cast(WIDE), pl.Expr.sum),
                "mean": (value.mean(), pl.Expr.first),
                "squares": (value.var(ddof=0) * n, _pooled),
            }
            root = "Std" in aggregate["Agg"]
            return made, lambda made: _spread(made["squares"], made["n"], ddof, root).cast(dtype)
        case {"Function": {"function": {"Boolean": {"Any": {"ignore_nulls": ignore}}}}}:
            return {"any": (whole, lambda one: one.any(ignore_nulls=ignore))}, lambda made: made["any"]
        case {"Function": {"function": {"Boolean": {"All": {"ignore_nulls": ignore}}}}}:
            return {"all": (whole, lambda one: one.all(ignore_nulls=ignore))}, lambda made: made["all"]
    return None


def _pooled(made: Mapping[str, pl.Expr]) -> pl.Expr:
    """The squared distances from the mean of all, summed: of those from the means of parts, and these means.

    Chan, Golub, LeVeque, Algorithms for computing the sample variance (1983): unlike sums of squares it does not lose
    the digits that the mean takes.
    """
    n, mean, squares = made["n"].cast(pl.Float64), made["mean"], made["squares"]
    whole = (n * mean).sum() / n.sum()
    return squares.sum() + (n * (mean - whole) ** 2).sum()


def _spread(squares: pl.Expr, n: pl.Expr, ddof: int, root: bool) -> pl.Expr:
    """The variance, or its root; null where there are no more values than `ddof`."""
    variance = pl.when(n > ddof).then(squares / (n.cast(pl.Float64) - ddof))
    return variance.sqrt() if root else variance
