"""How often each value occurs: `value_counts` in a `select` is a groupby, so that no rank needs all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from deeprc.frames.lazy.apart import countable, filtered
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Aggregate, Node, Sort
from deeprc.frames.lazy.reading import Column, needs
from deeprc.frames.lazy.trees import Tree, expression_of, key, parts, replaced, tree_of
from deeprc.frames.lazy.trees import column as column_tree

Projected = Callable[[Node, Sequence[pl.Expr]], Node]


def counted(input: Node, expression: pl.Expr, schema: pl.Schema, projected: Projected) -> Node | None:
    """What `select` gives of one expression with `value_counts` in it; None for any other.

    Parameters
    ----------
    schema
        What Polars makes of it.
    projected
        Selects from a node.
    """
    tree = tree_of(expression)
    found = [part for part in parts(tree) if _options(part) is not None] if tree is not None else []
    if len(found) != 1:
        return None
    (inner,), options = found[0]["Function"]["input"], _options(found[0])
    if not needs({"Agg": {"NUnique": inner}}).aggregates:  # it can be counted by parts
        return None
    input, inner = filtered(input, inner)
    ((value, kind),) = empty(input.schema).select(expression_of(inner)).collect_schema().items()
    name = options["name"]
    if not countable(kind) or name == value:
        return None
    values = projected(input, [expression_of(inner).alias(value)])
    groups = _groups(values, value, name)
    if options["normalize"]:
        groups = projected(groups, [pl.col(value), (pl.col(name) / pl.col(name).sum()).alias(name)])
    if options["sort"]:
        flags = {"by": (name,), "descending": (True,), "nulls_last": (False,), "maintain_order": False}
        groups = Sort(schema=groups.schema, input=groups, **flags)
    rest = replaced(tree, lambda node: column_tree(value) if key(node) == key(found[0]) else None)
    if key(rest) == key(tree_of(pl.col(value).struct.unnest())):
        made = groups
    else:
        made = projected(projected(groups, [pl.struct(value, name).alias(value)]), [expression_of(rest)])
    return made if list(made.schema.items()) == list(schema.items()) else None


def _options(tree: Tree) -> Mapping | None:
    match tree:
        case {"Function": {"input": [_], "function": {"ValueCounts": dict(options)}}}:
            return options
    return None


def _groups(values: Node, value: str, name: str) -> Node:
    group = Column(value, pl.col(value), column_tree(value))
    count = Column(name, pl.len().alias(name), {"Alias": ["Len", name]})
    schema = empty(values.schema).group_by(value).agg(count.expression).collect_schema()
    return Aggregate(schema=schema, input=values, keys=(group,), made_columns=(count,))
