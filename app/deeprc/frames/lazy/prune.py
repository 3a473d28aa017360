"""Columns that nobody reads are neither sent nor read from files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.nodes import Aggregate, Filter, Local, Node, Project, Slice, Sort, Source, Unique, bottom_up
from deeprc.frames.lazy.parts import Numbered
from deeprc.frames.lazy.reading import Column
from deeprc.frames.lazy.several import Concat, Join, Values


def pruned(root: Node) -> Node:
    """The plan in which every step makes only what those above it need."""
    needed: dict[int, set[str]] = defaultdict(set)
    needed[id(root)] = set(root.columns)
    nodes = bottom_up(root)
    for node in reversed(nodes):  # a node after all that take its result
        for input, names in zip(node.inputs, _wanted(node, needed[id(node)]), strict=True):
            needed[id(input)] |= names
    new: dict[int, Node] = {}
    for node in nodes:
        inputs = [new[id(input)] for input in node.inputs]
        if isinstance(node, Join | Sort | Unique | Slice | Numbered):
            # What a predicate below has read, and nobody else needs, is not sent.
            wanted = _wanted(node, needed[id(node)])
            inputs = [_only(each, [n for n in each.columns if n in w]) for each, w in zip(inputs, wanted, strict=True)]
        new[id(node)] = _made(node, inputs, needed[id(node)])
    return new[id(root)]


def _wanted(node: Node, names: set[str]) -> list[set[str]]:
    """The columns that a node needs of each input to make those that are needed of it."""
    match node:
        case Filter():
            return [names | _roots(node.input, [node.predicate])]
        case Project():
            own = {column.name for column in node.made_columns}
            kept = names - own if node.keep else set()
            return [kept | _roots(node.input, _left(node, names))]
        case Aggregate():
            return [_roots(node.input, [*node.keys, *_aggregated(node, names)])]
        case Sort():
            return [names | set(node.by)]
        case Unique():
            return [names | set(node.subset)]
        case Slice():
            return [names]
        case Numbered():
            return [names - {node.name} or {node.input.columns[0]}]
        case Local() if node.reads is not None:
            return [names | set(node.reads)]
        case Join():
            return _of_join(node, names)
        case Values():
            return [names & set(node.input.columns), names & set(node.row.columns)]
        case Concat():
            return [names] * len(node.pieces)
    return [set(input.columns) for input in node.inputs]


def _left(node: Project, names: set[str]) -> tuple[Column, ...]:
    """The columns that are made, of which the others need some: one of them has a value for each row."""
    wanted = {column.name for column in node.made_columns if column.name in names}
    if not node.keep and not any(column.needs.rows for column in node.made_columns if column.name in wanted):
        wanted |= {next((c for c in node.made_columns if c.needs.rows), node.made_columns[0]).name}
    return tuple(column for column in node.made_columns if column.name in wanted)


def _aggregated(node: Aggregate, names: set[str]) -> tuple[Column, ...]:
    """The aggregates that are made; where nobody needs one, one of them is the row."""
    kept = tuple(column for column in node.made_columns if column.name in names)
    return kept if kept or node.keys else node.made_columns[:1]


def _of_join(node: Join, names: set[str]) -> list[set[str]]:
    left, right = set(node.left_on), set(node.right_on)
    for name, (a, b) in node.origins.items():
        if name not in names:
            continue
        if a is not None:
            left.add(a)
        if b is not None:
            right.add(b)
            if b != name and a is None and b in node.left.columns:
                left.add(b)  # without it the column would not be called so
    return [left, right]


def _made(node: Node, inputs: list[Node], names: set[str]) -> Node:
    match node:
        case Source():
            kept = [name for name in node.columns if name in names]
            return node.only(kept or node.columns[:1])
        case Project() if left := _left(node, names):
            node = replace(node, made_columns=left)
        case Project():
            return inputs[0]
        case Aggregate():
            node = replace(node, made_columns=_aggregated(node, names))
        case Concat():
            # The inputs may have been left with other columns, in another order.
            order = [name for name in node.columns if name in names] or node.columns[:1]
            return replace(
                node,
                pieces=tuple(_only(input, order) for input in inputs),
                schema=pl.Schema({name: node.schema[name] for name in order}),
            )
    if not inputs:
        return node
    return _again(node.over(*inputs))


def _again(node: Node) -> Node:
    """The node with the schema that it has of its inputs as they are now."""
    if len(node.inputs) == 1 and hasattr(node, "made"):
        made = node.made(empty(node.inputs[0].schema))
        return replace(node, schema=made.collect_schema())
    return node


def _only(node: Node, names: list[str]) -> Node:
    if node.columns == names or not names:
        return node
    columns = tuple(Column(name, pl.col(name), {"Column": name}) for name in names)
    schema = pl.Schema({name: node.schema[name] for name in names})
    return Project(schema=schema, input=node, made_columns=columns, keep=False)


def _roots(input: Node, columns: Iterable[Column]) -> set[str]:
    found: set[str] = set()
    for column in columns:
        if column.tree is None:
            return set(input.columns)
        found |= set(column.roots)
    return found
