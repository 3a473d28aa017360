"""How sorts enter a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.lazy import build
from deeprc.frames.lazy.build import checked, free, only
from deeprc.frames.lazy.nodes import Node, Sort

Flags = bool | Sequence[bool]


def ordered(node: Node, keys: Sequence[pl.Expr], options: Mapping[str, Flags], maintain_order: bool) -> Node:
    """All rows in the order of `keys`; `options`, `descending` and `nulls_last`, are for all of them or for each."""
    checked("sort", node.schema, lambda rows: rows.sort(keys, **options))
    wide, names = _with_keys(node, keys)
    flags = {name: _flags(value, len(names), name) for name, value in options.items()}
    made = Sort(schema=wide.schema, input=wide, by=tuple(names), maintain_order=maintain_order, **flags)
    return made if wide.columns == node.columns else only(made, node.columns)


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
