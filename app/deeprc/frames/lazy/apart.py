"""Aggregates of all rows that are made neither of partial ones nor with all rows on one rank: each by its own exchange.

Values are counted once each where their hash sends them; a quantile is the value at its place among all of them, sorted
over the ranks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Aggregate, Filter, Node, One, Project, Unique
from deeprc.frames.lazy.reading import Column, aggregated, name_of
from deeprc.frames.lazy.several import Values
from deeprc.frames.lazy.trees import Tree, expression_of, key, replaced, without_alias
from deeprc.frames.lazy.trees import column as column_tree

VALUE = "value"  # the one column of a table of values


@dataclass(frozen=True)
class AskedQuantile:
    """A quantile: what it is called, and Polars' arguments."""

    name: str
    quantile: float
    method: str

    def expression(self) -> pl.Expr:
        return pl.col(VALUE).quantile(self.quantile, self.method).alias(self.name)

    def places(self, count: int) -> tuple[int, int, float]:
        """Between which two of so many values in order it lies, and how far from the first to the second."""
        at = (count - 1) * self.quantile
        low, high = int(at), min(int(-(-at // 1)), count - 1)
        if self.method in ("midpoint", "linear"):
            return low, high, at - low
        place = {
            "lower": low,
            "higher": high,
            "nearest": int(at + 0.5),
            "equiprobable": max(int(-(-count * self.quantile // 1)) - 1, 0),
        }[self.method]
        return place, place, 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantiles(One):
    """A row with quantiles of the input's only column."""

    asked: tuple[AskedQuantile, ...]

    def made(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select(each.expression() for each in self.asked)

    @property
    def title(self) -> str:
        return "QUANTILES " + ", ".join(f"{each.quantile} ({each.method})" for each in self.asked)


def one_row(input: Node, columns: Sequence[Column], schema: pl.Schema) -> Node:
    """Aggregates of all rows."""
    wanted = {key(tree): tree for column in columns for tree in column.needs.aggregates}
    if not any(map(_is_apart, wanted.values())):
        return Aggregate(schema=schema, input=input, keys=(), made_columns=tuple(columns))
    names = {text: f"{VALUE} {number}" for number, text in enumerate(wanted)}
    by_parts = tuple(
        Column(names[text], expression_of(tree).alias(names[text]), {"Alias": [tree, names[text]]})
        for text, tree in wanted.items()
        if not _is_apart(tree)
    )
    rows: list[Node] = []
    if by_parts:
        made = empty(input.schema).select(column.expression for column in by_parts).collect_schema()
        rows.append(Aggregate(schema=made, input=input, keys=(), made_columns=by_parts))
    together: dict[str, list[str]] = {}  # quantiles of the same values are made by one exchange
    for text, tree in wanted.items():
        if _is_apart(tree):
            together.setdefault(text if _asked(tree) is None else key(aggregated(tree)), []).append(text)
    for texts in together.values():
        rows.append(_apart(input, {names[text]: wanted[text] for text in texts}))
    row = rows[0]
    for each in rows[1:]:
        row = Values(schema=pl.Schema({**row.schema, **each.schema}), input=row, row=each)
    final = []
    for column in columns:
        tree = {"Alias": [replaced(without_alias(column.tree), lambda node: _named(node, names)), column.name]}
        final.append(Column(column.name, expression_of(tree), tree))
    return Project(schema=schema, input=row, made_columns=tuple(final), keep=False)


def why_whole(columns: Sequence[Column], schema: Mapping[str, pl.DataType]) -> str | None:
    """What of these columns can only be computed with all rows at hand, as a person calls it; None if nothing."""
    for column in columns:
        if column.needs.whole is not None:
            return column.needs.whole
        for tree in column.needs.aggregates:
            if _is_apart(tree) and not _suits(tree, empty(schema).select(_inner(tree)).collect_schema().dtypes()[0]):
                return name_of(tree)
    return None


def countable(kind: pl.DataType) -> bool:
    """Whether values of a type can be told apart by parts: in lists, and by their hashes."""
    return (kind.is_numeric() and kind not in (pl.Int128, pl.UInt128)) or kind in (
        pl.String,
        pl.Boolean,
        *pl.datatypes.group.TEMPORAL_DTYPES,
    )


def filtered(input: Node, tree: Tree) -> tuple[Node, Tree]:
    """What an expression with filters around it is made of: the rows that these leave, and the expression alone."""
    while isinstance(tree, dict) and "Filter" in tree:
        by = expression_of(tree["Filter"]["by"])
        predicate = Column(by.meta.output_name(), by, tree["Filter"]["by"])
        input, tree = Filter(schema=input.schema, input=input, predicate=predicate), tree["Filter"]["input"]
    return input, tree


def _suits(tree: Tree, kind: pl.DataType) -> bool:
    asked = _asked(tree)
    if asked is None:
        return countable(kind)
    whole = kind.is_integer() and kind not in (pl.Int128, pl.UInt128)
    return (whole or kind.is_float()) and 0 <= asked[0] <= 1


def _asked(tree: Tree) -> tuple[float, str] | None:
    """Which quantile, and by what method; None for anything else."""
    match tree:
        case {"Agg": {"Median": _}}:
            return 0.5, "linear"
        case {
            "Function": {"input": [_, {"Literal": {"Dyn": literal}}], "function": {"Quantile": {"method": str(told)}}}
        }:
            (quantile,) = literal.values()
            return float(quantile), told.lower()
    return None


def _is_apart(tree: Tree) -> bool:
    return _asked(tree) is not None or (isinstance(tree, dict) and "NUnique" in tree.get("Agg", ()))


def _inner(tree: Tree) -> pl.Expr:
    return expression_of(aggregated(tree))


def _apart(input: Node, trees: Mapping[str, Tree]) -> Node:
    """A row with one aggregate, or with quantiles of the same values, by their names."""
    name, tree = next(iter(trees.items()))
    input, inner = filtered(input, aggregated(tree))
    made = Column(VALUE, expression_of(inner).alias(VALUE), {"Alias": [inner, VALUE]})
    schema = empty(input.schema).select(made.expression).collect_schema()
    values = Project(schema=schema, input=input, made_columns=(made,), keep=False)
    if _asked(tree) is None:
        once = Unique(schema=schema, input=values, subset=(VALUE,), keep="any", maintain_order=False)
        count = Column(name, pl.len().alias(name), {"Alias": ["Len", name]})
        made_schema = empty(schema).select(count.expression).collect_schema()
        return Aggregate(schema=made_schema, input=once, keys=(), made_columns=(count,))
    asked = tuple(AskedQuantile(name, *_asked(tree)) for name, tree in trees.items())
    made_schema = empty(schema).select(each.expression() for each in asked).collect_schema()
    return Quantiles(schema=made_schema, input=values, asked=asked)


def _named(node: Tree, names: Mapping[str, str]) -> Tree | None:
    name = names.get(key(node)) if isinstance(node, dict) or node == "Len" else None
    return None if name is None else column_tree(name)
