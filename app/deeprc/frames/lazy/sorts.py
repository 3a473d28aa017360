"""How sorts enter a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.lazy import build
from deeprc.frames.lazy.build import checked, only
from deeprc.frames.lazy.nodes import Node, Sort
from deeprc.frames.lazy.parts import Numbered
from deeprc.frames.names import free

Flags = bool | Sequence[bool]


def ordered(node: Node, keys: Sequence[pl.Expr], options: Mapping[str, Flags], maintain_order: bool) -> Node:
    """All rows in the order of `keys`; `options`, `descending` and `nulls_last`, are for all of them or for each."""
    checked("sort", node.schema, lambda rows: rows.sort(keys, **options))
    wide, names = _with_keys(node, keys)
    flags = {name: _flags(value, len(names), name) for name, value in options.items()}
    made = Sort(schema=wide.schema, input=wide, by=tuple(names), maintain_order=maintain_order, **flags)
    return made if wide.columns == node.columns else only(made, node.columns)


def in_number(node: Node, name: str) -> Node:
    """The rows with their number over all ranks in a last column."""
    schema = pl.Schema({**node.schema, name: pl.Int64()})
    return Numbered(schema=schema, input=node, name=name, offset=0, hidden=True)


def by_numbers(node: Node, names: Sequence[str]) -> Node:
    """All rows in the order of these numbers; those without one come last."""
    count = len(names)
    flags = {"descending": (False,) * count, "nulls_last": (True,) * count}
    return Sort(schema=node.schema, input=node, by=tuple(names), maintain_order=False, **flags)


def _with_keys(node: Node, keys: Sequence[pl.Expr]) -> tuple[Node, list[str]]:
    """The plan with a column for each key, and their names."""
    columns = build._columns(keys, node.schema)
    if columns is None:
        raise InputError("sort: a key makes several columns", fix="name the columns one by one")
    hidden = {}
    for number, column in enumerate(columns):
        if column.tree is None or build.plain_column(column.tree) != column.name:
            hidden[number] = free(node.columns, f"sort key {number}")
    if not hidden:
        return node, [column.name for column in columns]
    made = [columns[number].expression.alias(name) for number, name in hidden.items()]
    return build.project(node, made, keep=True), [
        hidden.get(number, column.name) for number, column in enumerate(columns)
    ]


def _flags(value: Flags, count: int, what: str) -> tuple[bool, ...]:
    flags = [value] * count if isinstance(value, bool) else list(value)
    if len(flags) != count:
        raise InputError(f"sort: {what} has another length than by", found=len(flags), expected=count)
    return tuple(map(bool, flags))
