"""Groups of a lazy frame, as a user writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.lazy.build import checked, expressions, only, project
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Aggregate, Node
from deeprc.frames.lazy.reading import Column, codes_told, expand, needs
from deeprc.frames.lazy.sorts import by_numbers, in_number
from deeprc.frames.lazy.trees import Tree, expression_of, key, replaced
from deeprc.frames.names import free

if TYPE_CHECKING:
    from deeprc.frames.lazy.frame import LazyFrame


class LazyGroupBy:
    """A lazy frame's rows by key, to be aggregated.

    Parameters
    ----------
    frame, by
        The rows, and the expressions of the keys.
    maintain_order
        Whether the groups come in the order of their first rows.
    """

    def __init__(self, frame: LazyFrame, by: Sequence[pl.Expr], maintain_order: bool) -> None:
        self.frame, self.by, self.maintain_order = frame, by, maintain_order

    def agg(self, *aggs: Any, **named: Any) -> LazyFrame:
        """One row per group, in no particular order but with `maintain_order`."""
        node, schema = self.frame._node, self.frame.schema
        given = expressions(aggs, named)
        made = checked("group_by", schema, lambda rows: rows.group_by(self.by).agg(given))
        keys = self._keys()
        input = node
        if not all(key.needs.rowwise for key in keys):
            # A key that needs more than its row becomes a column first.
            hidden = {key.name: free(schema, f"group key {number}") for number, key in enumerate(keys)}
            input = project(node, [key.expression.alias(hidden[key.name]) for key in keys], keep=True)
            keys = [_named(hidden[key.name], key.name) for key in keys]
        names = [key.name for key in keys]
        columns: list[Column] = []
        for each in given:
            several = expand(each, schema, names)
            if several is None:
                raise InputError(
                    "agg: an expression makes several columns in a way that cannot be told beforehand",
                    found=each,
                    fix="write one expression for each column",
                )
            columns += several
        input, columns = _with_codes(input, columns)
        found = empty(input.schema).group_by([key.expression for key in keys])
        found = found.agg(column.expression for column in columns).collect_schema()
        if list(found.items()) != list(made.items()):
            raise InputError(
                "agg: these expressions are not what they are one by one",
                found=", ".join(found),
                expected=", ".join(made),
                fix="write one expression for each column",
            )
        if self.maintain_order:
            return self.frame._with(_in_order(input, tuple(keys), tuple(columns), made))
        return self.frame._with(Aggregate(schema=made, input=input, keys=tuple(keys), made_columns=tuple(columns)))

    def len(self, name: str = "len") -> LazyFrame:
        """The number of rows of each group."""
        return self.agg(pl.len().alias(name))

    def __getattr__(self, name: str) -> Any:
        """`sum`, `min`, … of every column that is not a key."""
        if name in ("sum", "min", "max", "mean", "median", "std", "var", "count", "first", "last", "n_unique"):
            return lambda: self.agg(getattr(pl.all(), name)())
        if hasattr(pl.lazyframe.group_by.LazyGroupBy, name) and not name.startswith("_"):
            raise InputError(f"group_by(…).{name} is not among what runs over ranks", fix="use agg(…)")
        raise AttributeError(name)

    def _keys(self) -> list[Column]:
        keys: list[Column] = []
        for expression in self.by:
            several = expand(expression, self.frame.schema)
            if several is None:
                raise InputError("group_by: a key makes several columns", found=expression, fix="name them one by one")
            keys += several
        if not keys:
            raise InputError("group_by: no key is given", fix="select(…) aggregates all rows")
        return keys


def _with_codes(input: Node, columns: list[Column]) -> tuple[Node, list[Column]]:
    """The codes of categories, which are other ones on each rank, become a column first: all rows on one rank."""
    told = [node for column in columns if column.tree is not None for node in codes_told(column.tree, input.schema)]
    if not told:
        return input, columns
    for node in told:
        if not needs(node["Function"]["input"][0]).rowwise:
            raise InputError(
                "agg: the codes of categories that an aggregate gives are other ones on each rank",
                found=expression_of(node),
                fix="take the codes first: with_columns(code=pl.col(…).to_physical()), and aggregate these",
            )
    hidden = {key(node): free(input.columns, f"codes {number}") for number, node in enumerate(told)}
    input = project(input, [expression_of(node).alias(hidden[key(node)]) for node in told], keep=True)

    def change(node: Tree) -> Tree | None:
        return {"Column": hidden[key(node)]} if isinstance(node, dict) and key(node) in hidden else None

    made = []
    for column in columns:
        tree = None if column.tree is None else replaced(column.tree, change)
        if tree is not None and tree != column.tree:
            tree = {"Alias": [tree, column.name]}
            column = Column(column.name, expression_of(tree), tree)
        made.append(column)
    return input, made


def _in_order(input: Node, keys: tuple[Column, ...], columns: tuple[Column, ...], schema: pl.Schema) -> Node:
    """The groups in the order of their first rows: these have a number, over all ranks."""
    name = free([*input.columns, *schema], "row number")
    first = Column(name, pl.col(name).min(), {"Agg": {"Min": {"input": {"Column": name}, "propagate_nans": False}}})
    input = in_number(input, name)
    wide = pl.Schema({**schema, name: input.schema[name]})
    groups = Aggregate(schema=wide, input=input, keys=keys, made_columns=(*columns, first))
    return only(by_numbers(groups, [name]), schema.names())


def _named(name: str, new: str) -> Column:
    return Column(new, pl.col(name).alias(new), {"Alias": [{"Column": name}, new]})
