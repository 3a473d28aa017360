"""Polars expressions as trees that can be read and changed.

Polars gives an expression's tree as JSON. Its form is no stable interface: what is not known here is never guessed at,
but computed by Polars on all rows it may depend on (see `reading`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

LEAVES = ("Column", "Literal", "Selector")
# What holds expressions in a node: one or a list of them.
EXPRESSION, OPERANDS, CHOICE = ("input", "expr", "by", "idx"), ("left", "right"), ("predicate", "truthy", "falsy")
FIELDS = {*EXPRESSION, *OPERANDS, *CHOICE, "function", "partition_by", "offset", "length", "evaluation"}
Tree = Any  # a dictionary of one node, or a string for a node without parts


def tree_of(expression: pl.Expr) -> Tree | None:
    """The expression's tree; None where it has none that can be taken apart (a Python function, NaN as a literal)."""
    try:
        text = expression.meta.serialize(format="json")
        back = pl.Expr.deserialize(io.StringIO(text), format="json")
    except (pl.exceptions.PolarsError, ValueError, TypeError, ImportError, AttributeError):
        return None
    # A form that Polars itself does not take for the same expression is not to be relied upon.
    return json.loads(text) if back.meta.eq(expression) else None


def expression_of(tree: Tree) -> pl.Expr:
    """The expression of a tree."""
    return pl.Expr.deserialize(io.StringIO(json.dumps(tree)), format="json")


def column(name: str) -> Tree:
    """The tree of a column."""
    return {"Column": name}


def key(tree: Tree) -> str:
    """A text that is the same for equal trees."""
    return json.dumps(tree, sort_keys=True)


def parts(tree: Tree) -> Iterator[Tree]:
    """All expressions within an expression, itself first."""
    found: list[Tree] = []
    replaced(tree, found.append)
    return iter(found)


def replaced(tree: Tree, change: Callable[[Tree], Tree | None]) -> Tree:
    """The tree with every expression in it, from the outside in, for which `change` gives another, in its place."""
    new = change(tree)
    if new is not None:
        return new
    if not isinstance(tree, dict):
        return tree
    return {kind: inner if kind in LEAVES else _inside(kind, inner, change) for kind, inner in tree.items()}


def _inside(kind: str, inner: Any, change: Callable[[Tree], Tree | None]) -> Any:
    """What stands below the name of a node; names and options are not expressions, whatever they are called."""
    match kind, inner:
        case "Alias", [expression, name]:
            return [replaced(expression, change), name]
        case "Agg", {**named}:
            return {name: _argument(argument, change) for name, argument in named.items()}
        case _, {**fields}:
            return {
                name: _field(value, change) if name in FIELDS and (kind, name) != ("Function", "function") else value
                for name, value in fields.items()
            }
    return inner


def _argument(argument: Any, change: Callable[[Tree], Tree | None]) -> Any:
    match argument:
        case {"input": expression}:
            return {**argument, "input": replaced(expression, change)}
        case [expression, *options]:
            return [replaced(expression, change), *options]
    return replaced(argument, change)


def _field(value: Any, change: Callable[[Tree], Tree | None]) -> Any:
    return [replaced(each, change) for each in value] if isinstance(value, list) else replaced(value, change)


def plain_column(tree: Tree) -> str | None:
    """The name of the column that the tree stands for, renamed or not; None for anything else."""
    while isinstance(tree, dict) and "Alias" in tree:
        tree = tree["Alias"][0]
    return tree.get("Column") if isinstance(tree, dict) and len(tree) == 1 else None


def without_alias(tree: Tree) -> Tree:
    """The tree without the names that it is given at the top."""
    while isinstance(tree, dict) and "Alias" in tree:
        tree = tree["Alias"][0]
    return tree


def conjuncts(tree: Tree) -> list[Tree]:
    """The predicates that are joined by `and` at the top."""
    match tree:
        case {"BinaryExpr": {"left": left, "op": "And" | "LogicalAnd", "right": right}}:
            return conjuncts(left) + conjuncts(right)
    return [tree]
