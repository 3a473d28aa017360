"""Aggregates made of partial ones: what each rank computes of its rows, how these become one, and the end of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeprc.frames.lazy.apart import countable
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.reading import Column, aggregated, needs
from deeprc.frames.lazy.trees import Tree, expression_of, key, replaced

WIDE = pl.UInt64()  # counts travel with 64 bits, and end as what Polars makes of them, or as an error
FAR = 1e5  # deviations from 0: a mean that is farther away leaves a variance fewer than some ten digits

Merge = Callable[[Mapping[str, pl.Expr], pl.Expr], pl.Expr]  # from all partial columns of an aggregate, and its own


@dataclass(frozen=True)
class PartialResult:
    """A partial result: what a rank computes, how those of ranks become one, and what is right of values far from 0."""

    made: pl.Expr
    merged: Merge
    careful: pl.Expr | None = None


@dataclass(frozen=True)
class Partials:
    """Aggregates in two steps.

    Parameters
    ----------
    first, careful
        What every rank computes of its own rows: quickly, and right also where values are far from 0.
    doubtful
        Of what `first` has given: whether `careful` is needed. None where it never is.
    merge
        The same columns from those of several ranks.
    last
        The columns wanted, from merged ones.
    """

    first: Sequence[pl.Expr]
    merge: Sequence[pl.Expr]
    last: Sequence[pl.Expr]
    careful: Sequence[pl.Expr]
    doubtful: pl.Expr | None


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
    careful: dict[str, pl.Expr] = {}
    merge: dict[str, pl.Expr] = {}
    doubts: list[pl.Expr] = []
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
            for name, part in made.items():
                first[called[name]] = part.made.alias(called[name])
                careful[called[name]] = (part.made if part.careful is None else part.careful).alias(called[name])
                merge[called[name]] = part.merged(parts, parts[name]).alias(called[name])
            if "squares" in parts:
                doubts.append(_doubtful(parts))
            finals[key(aggregate)] = final(parts)
    last = []
    for column in columns:
        slots: dict[str, pl.Expr] = {}
        last.append(_finished(column, finals, slots))
    doubtful = pl.any_horizontal(doubts).any() if doubts else None
    return Partials(list(first.values()), list(merge.values()), last, list(careful.values()), doubtful)


def spreads(columns: Sequence[Column]) -> bool:
    """Whether there is a variance or a deviation among the aggregates."""
    aggregates = (tree for column in columns for tree in column.needs.aggregates)
    return any(isinstance(tree, dict) and {"Var", "Std"} & set(tree.get("Agg", ())) for tree in aggregates)


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
    """Of one aggregate: its partial results, and the end of it."""
    whole = expression_of(aggregate)
    if aggregate == "Len":
        return {"n": PartialResult(pl.len().cast(WIDE), _sum)}, lambda made: made["n"].cast(dtype)
    inner_tree = aggregated(aggregate)
    inner = expression_of(inner_tree)
    source = empty(schema).select(inner.alias("x")).collect_schema()["x"]
    match aggregate:
        case {"Agg": {"Count": _}} | {"Function": {"function": "NullCount"}}:
            return {"n": PartialResult(whole.cast(WIDE), _sum)}, lambda made: made["n"].cast(dtype)
        case {"Agg": {"Sum": _}} if source == pl.Boolean:
            return {"n": PartialResult(whole.cast(WIDE), _sum)}, lambda made: made["n"].cast(dtype)
        case {"Agg": {"Sum": _}} if source.is_numeric() or isinstance(source, pl.Duration):
            return {"sum": PartialResult(whole, _sum)}, lambda made: made["sum"].cast(dtype)
        case {"Agg": {"Min": _}}:
            return {"min": PartialResult(whole, lambda _, one: one.min())}, lambda made: made["min"]
        case {"Agg": {"Max": _}}:
            return {"max": PartialResult(whole, lambda _, one: one.max())}, lambda made: made["max"]
        case {"Agg": {"Mean": _}} if source.is_numeric() or source == pl.Boolean:
            made = {
                "sum": PartialResult(inner.cast(pl.Float64).sum(), _sum),
                "n": PartialResult(inner.count().cast(WIDE), _sum),
            }
            return made, lambda made: pl.when(made["n"] > 0).then(made["sum"] / made["n"]).cast(dtype)
        case {"Agg": {"Var": [_, ddof]} | {"Std": [_, ddof]}} if source.is_numeric() or source == pl.Boolean:
            root = "Std" in aggregate["Agg"]
            return _of_spread(inner), lambda made: _spread(made["squares"], made["n"], ddof, root).cast(dtype)
        case {"Agg": {"First": _} | {"Last": _}}:
            take = pl.Expr.first if "First" in aggregate["Agg"] else pl.Expr.last
            there = PartialResult(inner.len() > 0, lambda _, one: one.any())  # a rank may have no row that counts
            value = PartialResult(whole, lambda made, one: take(one.filter(made["there"])))
            return {"value": value, "there": there}, lambda made: made["value"]
        case {"Agg": {"NUnique": _}} if countable(source):
            count = PartialResult(inner.unique(), lambda _, one: one.explode(empty_as_null=False).n_unique())
            return {"values": count}, lambda made: made["values"].cast(dtype)
        case {"Function": {"function": {"Boolean": {"Any": {"ignore_nulls": ignore}}}}}:
            return {"any": PartialResult(whole, lambda _, one: one.any(ignore_nulls=ignore))}, lambda made: made["any"]
        case {"Function": {"function": {"Boolean": {"All": {"ignore_nulls": ignore}}}}}:
            return {"all": PartialResult(whole, lambda _, one: one.all(ignore_nulls=ignore))}, lambda made: made["all"]
    return None


def _sum(_: Mapping[str, pl.Expr], one: pl.Expr) -> pl.Expr:
    return one.sum()


def _of_spread(inner: pl.Expr) -> dict[str, PartialResult]:
    """What variances are made of: the number of values, their mean as a distance from one of them (or from 0), and the
    squared distances from it, summed.

    A mean of values far from 0 has few digits left for what they differ by, and neither has Polars' own variance:
    at 10¹⁵ times the deviation it is wrong by a tenth. The distances from one of the values are exact.
    """
    value, n = inner.cast(pl.Float64), inner.count()
    zero = value.first(ignore_nulls=True)
    far = value - zero
    return {
        "n": PartialResult(n.cast(WIDE), _sum),
        "zero": PartialResult(n * 0.0, lambda _, one: one.first(), zero),
        "mean": PartialResult(value.mean(), lambda _, one: one.first(), far.mean()),
        "squares": PartialResult(value.var(ddof=0) * n, _pooled, far.var(ddof=0) * n),
    }


def _doubtful(made: Mapping[str, pl.Expr]) -> pl.Expr:
    return (made["squares"] > 0) & (made["n"] * made["mean"] ** 2 > FAR**2 * made["squares"])


def _pooled(made: Mapping[str, pl.Expr], squares: pl.Expr) -> pl.Expr:
    """The squared distances from the mean of all, summed: of those from the means of parts, and these means.

    Chan, Golub, LeVeque, Algorithms for computing the sample variance (1983): unlike sums of squares it does not lose
    the digits that the mean takes. All means are taken as distances from about one of them, which loses none, either.
    """
    n, near = made["n"].cast(pl.Float64), (made["zero"] + made["mean"]).max()
    mean = (made["zero"] - near) + made["mean"]
    whole = (n * mean).sum() / n.sum()
    return squares.sum() + (n * (mean - whole) ** 2).sum()


def _spread(squares: pl.Expr, n: pl.Expr, ddof: int, root: bool) -> pl.Expr:
    """The variance, or its root; null where there are no more values than `ddof`."""
    variance = pl.when(n > ddof).then(squares / (n.cast(pl.Float64) - ddof))
    return variance.sqrt() if root else variance
