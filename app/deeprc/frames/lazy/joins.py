"""Joins as a user writes them."""

from __future__ import annotations

from typing import Any

import polars as pl

from deeprc.core.errors import InputError, unknown
from deeprc.frames.lazy.build import expressions, only, refused
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Node
from deeprc.frames.lazy.reading import expand
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.sorts import by_numbers, in_number
from deeprc.frames.lazy.trees import plain_column
from deeprc.frames.names import free

ORDERS = ("none", "left", "right", "left_right", "right_left")
HOW = ("inner", "left", "right", "full", "semi", "anti", "cross")


def joined_in_order(
    left: Node, right: Node, keys: tuple[Any, Any, Any], how: str, options: dict[str, Any], order: str | None
) -> Node:
    """A join whose rows come in the order of those of a side, or of both; `order` as Polars' `maintain_order`.

    The rows of the side have a number, over all ranks, and the joined ones are sorted by it. What has no row of that
    side comes last.
    """
    plain = joined(left, right, keys, how, options)
    if order not in (None, *ORDERS):
        raise unknown("maintain_order", str(order), ORDERS)
    if order in (None, "none"):
        return plain
    both = how == "cross" and order in ORDERS[1:3]
    first = {"left": ("left", "right"), "right": ("right", "left")}[order.split("_")[0]]
    wanted = ("left",) if how in ("semi", "anti") else first if both or "_" in order else first[:1]
    taken = {*left.columns, *right.columns, *plain.columns}
    names = {side: free(taken, f"row number on the {side}") for side in wanted}
    left, right = (
        in_number(node, names[side]) if side in names else node for side, node in (("left", left), ("right", right))
    )
    on = (None, None, None) if how == "cross" else (None, list(plain.left_on), list(plain.right_on))
    return only(by_numbers(joined(left, right, on, how, options), [names[side] for side in wanted]), plain.columns)


def joined(left: Node, right: Node, keys: tuple[Any, Any, Any], how: str, options: dict[str, Any]) -> Node:
    """A join, checked.

    Parameters
    ----------
    keys
        `on`, `left_on`, `right_on`.
    """
    if how not in HOW:
        raise unknown("join", str(how), HOW)
    on, left_on, right_on = keys
    if how == "cross" and (on is not None or left_on is not None or right_on is not None):
        raise InputError("a cross join has no keys", expected="on, left_on and right_on left out")
    if how != "cross" and (on is None) == (left_on is None or right_on is None):
        raise InputError("join: the keys are given by on=, or by left_on= and right_on=")
    at_left = _names(on if left_on is None else left_on, left, "left") if how != "cross" else ()
    at_right = _names(on if right_on is None else right_on, right, "right") if how != "cross" else ()
    if len(at_left) != len(at_right):
        raise InputError("join: the sides have another number of keys", found=f"{len(at_left)} and {len(at_right)}")
    for a, b in zip(at_left, at_right, strict=True):
        if left.schema[a] != right.schema[b]:
            raise InputError(
                f"the keys {a!r} and {b!r} are of different types",
                found=f"{left.schema[a]} (left), {right.schema[b]} (right)",
                expected="the same type",
                fix=f"cast one of them: with_columns(pl.col({a!r}).cast(pl.{right.schema[b]}))",
            )
    node = Join(
        schema=left.schema, left=left, right=right, left_on=at_left, right_on=at_right, how=how, options=options
    )
    try:
        made = node.made(empty(left.schema), empty(right.schema)).collect_schema()
    except (pl.exceptions.PolarsError, ValueError, TypeError) as error:
        raise refused("join", error, [*left.columns, *right.columns]) from error
    node = Join(schema=made, left=left, right=right, left_on=at_left, right_on=at_right, how=how, options=options)
    assert sorted(node.origins) == sorted(made.names()), (node.origins, made)
    return node


def _names(given: Any, node: Node, side: str) -> tuple[str, ...]:
    found = []
    for expression in expressions([given]):
        try:
            columns = expand(expression, node.schema)
        except pl.exceptions.PolarsError as error:
            raise refused("join", error, node.columns) from error
        for column in columns or ():
            name = None if column.tree is None else plain_column(column.tree)
            if name is None or name != column.name:
                raise InputError(
                    f"join: a key of the {side} side is no column",
                    found=column.expression,
                    expected="columns",
                    fix="make a column of it first, with with_columns",
                )
            if name not in node.columns:
                raise refused("join", pl.exceptions.ColumnNotFoundError(name), node.columns)
            found.append(name)
    return tuple(found)
