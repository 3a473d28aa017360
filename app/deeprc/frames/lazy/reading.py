"""What an expression needs to be computed right: its row, an aggregate of all rows, all rows of a key, or all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.rowwise import HORIZONTAL, OPERATORS, function_name, is_rowwise
from deeprc.frames.lazy.trees import Tree, expression_of, key, parts, replaced, tree_of

# Made of partial results, or by an exchange of their own: see `partial` and `apart`.
AGGREGATES = ("Sum", "Min", "Max", "Count", "Mean", "Var", "Std", "First", "Last", "NUnique", "Median")
TRUTHS = ("Boolean.Any", "Boolean.All")


@dataclass(frozen=True)
class Needs:
    """What an expression is made of.

    Parameters
    ----------
    rows
        Whether it has a value per row, and not one for all.
    aggregates
        The aggregates of all rows in it that no rank needs all rows for.
    windows
        The keys of its windows: by the JSON of the key expressions, these expressions.
    whole
        What can only be computed with all rows at hand, as a person calls it; None if there is no such thing.
    """

    rows: bool = False
    aggregates: tuple[Tree, ...] = ()
    windows: Mapping[str, Sequence[Tree]] = field(default_factory=dict)
    whole: str | None = None

    @property
    def rowwise(self) -> bool:
        """Whether every row's value depends on this row alone."""
        return not self.aggregates and not self.windows and self.whole is None

    @property
    def ordered(self) -> bool:
        """Whether what rows are made into may depend on their order: all but what is known not to."""
        return self.whole is not None or any(
            "Agg" in tree and {"First", "Last"} & set(tree["Agg"]) for tree in self.aggregates
        )


@dataclass(frozen=True)
class Column:
    """An expression that makes one column.

    Parameters
    ----------
    name
        What the column is called.
    expression
        The expression, which gives it this name.
    tree
        Its tree; None when it cannot be read.
    """

    name: str
    expression: pl.Expr
    tree: Tree | None

    @property
    def needs(self) -> Needs:
        return Needs(True, whole="a function that cannot be looked into") if self.tree is None else needs(self.tree)

    @property
    def roots(self) -> list[str]:
        """The columns that it reads."""
        return self.expression.meta.root_names()


def needs(tree: Tree) -> Needs:
    """What the expression of this tree needs."""
    match tree:
        case {"Column": str()}:
            return Needs(rows=True)
        case {"Literal": {"Series": _}}:
            return Needs(whole="a Series among the expressions")
        case {"Literal": _}:
            return Needs()
        case {"Alias": [inner, _]} | {"RenameAlias": {"expr": inner}} | {"Cast": {"expr": inner}}:
            return needs(inner)
        case {"BinaryExpr": {"left": left, "op": str(operator), "right": right}} if operator in OPERATORS:
            return _together(left, right)
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            return _together(predicate, truthy, falsy)
        case {"Function": {"input": inputs, "function": function}}:
            return _of_function(tree, inputs, function)
        case "Len":
            return Needs(aggregates=(tree,))
        case {"Agg": dict(aggregate)}:
            return _of_aggregate(tree, aggregate)
        case {"Over": {"function": inner, "partition_by": list(by), "order_by": order, "mapping": "GroupsToRows"}}:
            return _of_window(inner, by, order)
    return Needs(rows=True, whole=name_of(tree))


def name_of(tree: Tree) -> str:
    """What a person calls the node at the top of a tree."""
    if isinstance(tree, str):
        return tree.lower()
    kind, inner = next(iter(tree.items()))
    if kind == "Function":
        return function_name(inner["function"]).replace("Expr.", ".").lower()
    if kind == "Agg":
        return (inner if isinstance(inner, str) else next(iter(inner))).lower()
    return kind.lower()


def aggregated(tree: Tree) -> Tree | None:
    """What an aggregate is taken of; None if the tree is none, or one that needs all rows at once."""
    match tree:
        case {"Agg": {"First": inner}} | {"Agg": {"Last": inner}} | {"Agg": {"NUnique": inner}}:
            return inner
        case {"Agg": {"Median": inner}} | {
            "Function": {"input": [inner, {"Literal": {"Dyn": _}}], "function": {"Quantile": {"method": str()}}}
        }:
            return inner
        case {"Agg": {"Sum": inner}} | {"Agg": {"Mean": inner}}:
            return inner
        case {"Agg": {"Var": [inner, int()]}} | {"Agg": {"Std": [inner, int()]}}:
            return inner
        case {"Agg": {"Min": {"input": inner, "propagate_nans": False}}}:
            return inner
        case {"Agg": {"Max": {"input": inner, "propagate_nans": False}}}:
            return inner
        case {"Agg": {"Count": {"input": inner}}}:
            return inner
        case {"Function": {"input": [inner], "function": {"Boolean": {"Any": _} | {"All": _}}}}:
            return inner
        case {"Function": {"input": [inner], "function": "NullCount"}}:
            return inner
    return None


def expand(expression: pl.Expr, schema: Mapping[str, pl.DataType], without: Sequence[str] = ()) -> list[Column] | None:
    """The columns that an expression makes, one by one; None if that cannot be told.

    Parameters
    ----------
    without
        Names that a selection by anything else than names passes over: the keys of a group.
    """
    tree = tree_of(expression)
    if tree is None:
        if expression.meta.has_multiple_outputs():
            return None
        return [Column(expression.meta.output_name(), expression, None)]
    tree = replaced(tree, lambda node: _spread(node, schema, without))
    selections = {key(node): node for node in parts(tree) if isinstance(node, dict) and "Selector" in node}
    if len(selections) > 1:
        return None
    if not selections:
        try:
            return [_column(tree)]
        except pl.exceptions.ComputeError:  # it makes a column of every field of a struct, say
            return None
    (text, selection) = next(iter(selections.items()))
    names = _selected(selection, schema, without)
    return [_column(_in_place(tree, text, {"Column": name})) for name in names]


def _column(tree: Tree) -> Column:
    expression = expression_of(tree)
    return Column(expression.meta.output_name(), expression, tree)


def _in_place(tree: Tree, selection: str, column: Tree) -> Tree:
    """The tree with a column in the place of a selection."""

    def change(node: Tree) -> Tree | None:
        return column if isinstance(node, dict) and "Selector" in node and key(node) == selection else None

    return replaced(tree, change)


def _spread(node: Tree, schema: Mapping[str, pl.DataType], without: Sequence[str]) -> Tree | None:
    """A function of several columns with a selection among its inputs: with the selected columns in its place."""
    match node:
        case {"Function": {"input": list(inputs), "function": function}} if function_name(function) in HORIZONTAL:
            if not any(isinstance(inner, dict) and "Selector" in inner for inner in inputs):
                return None
            spread = []
            for inner in inputs:
                if isinstance(inner, dict) and "Selector" in inner:
                    spread += [{"Column": name} for name in _selected(inner, schema, without)]
                else:
                    spread.append(replaced(inner, lambda deeper: _spread(deeper, schema, without)))
            return {"Function": {"input": spread, "function": function}}
    return None


def _selected(selection: Tree, schema: Mapping[str, pl.DataType], without: Sequence[str]) -> list[str]:
    by_name = "ByName" in selection["Selector"] if isinstance(selection["Selector"], dict) else False
    left = {name: kind for name, kind in schema.items() if by_name or name not in without}
    return empty(left).select(expression_of(selection)).collect_schema().names()


def _together(*trees: Tree) -> Needs:
    all_needs = [needs(tree) for tree in trees]
    windows: dict[str, Sequence[Tree]] = {}
    for each in all_needs:
        windows |= each.windows
    return Needs(
        any(each.rows for each in all_needs),
        tuple(aggregate for each in all_needs for aggregate in each.aggregates),
        windows,
        next((each.whole for each in all_needs if each.whole is not None), None),
    )


def _of_function(tree: Tree, inputs: Sequence[Tree], function: Tree) -> Needs:
    name = function_name(function)
    if name in TRUTHS or name == "NullCount" or (name == "Quantile" and aggregated(tree) is not None):
        return _of_partial(tree, inputs[0])
    if not is_rowwise(function):
        return Needs(rows=True, whole=name_of(tree))
    if name == "Boolean.IsIn":
        # Among the values of a column of the same type are those of all rows.
        return needs(inputs[0]) if _is_literal(inputs[1]) else Needs(rows=True, whole=name_of(tree))
    if name in ("Replace", "ReplaceStrict"):
        if not all(_is_literal(each) for each in inputs[1:]):
            return Needs(rows=True, whole=name_of(tree))
        return needs(inputs[0])
    return _together(*inputs)


def _is_literal(tree: Tree) -> bool:
    return isinstance(tree, dict) and "Literal" in tree


def _of_aggregate(tree: Tree, aggregate: Tree) -> Needs:
    inner = aggregated(tree)
    if inner is None or next(iter(aggregate)) not in AGGREGATES:
        return Needs(rows=True, whole=name_of(tree))
    return _of_partial(tree, inner)


def _of_partial(tree: Tree, inner: Tree) -> Needs:
    while isinstance(inner, dict) and "Filter" in inner:
        if not needs(inner["Filter"]["by"]).rowwise:
            return Needs(rows=True, whole=name_of(tree))
        inner = inner["Filter"]["input"]
    of_inner = needs(inner)
    if not of_inner.rowwise or not of_inner.rows:  # an aggregate of a literal has a meaning of its own
        return Needs(rows=True, whole=name_of(tree))
    return Needs(aggregates=(tree,))


def _tells_codes(tree: Tree) -> bool:
    """Whether a function tells the numbers that categories have in this process: other ones on each rank."""
    return function_name(tree["Function"]["function"]).lower().endswith("physical")


def codes_told(tree: Tree, schema: Mapping[str, pl.DataType]) -> list[Tree]:
    """The functions in a tree that tell the codes of categories."""
    found = []
    for node in parts(tree):
        if isinstance(node, dict) and "Function" in node and _tells_codes(node):
            given = empty(schema).select(expression_of(node["Function"]["input"][0])).collect_schema().dtypes()
            found += [node] if any("Categorical" in repr(dtype) for dtype in given) else []
    return found


def _of_window(inner: Tree, by: Sequence[Tree], order: Tree) -> Needs:
    keys = [needs(each) for each in by]
    nested = any(isinstance(node, dict) and "Over" in node for node in parts(inner))
    if any(isinstance(node, dict) and "Function" in node and _tells_codes(node) for node in parts(inner)):
        return Needs(rows=True, whole="over")
    if nested or not by or not all(each.rowwise and each.rows for each in keys):
        return Needs(rows=True, whole="over")
    if order is not None and not needs(order[0]).rowwise:
        return Needs(rows=True, whole="over")
    return Needs(rows=True, windows={key(list(by)): list(by)})
