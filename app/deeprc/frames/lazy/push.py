"""Predicates moved down to where the rows come from, so that what they drop is neither sent nor read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deeprc.frames.lazy.nodes import Aggregate, Filter, Node, Project, Sort, Source, Unique, uses
from deeprc.frames.lazy.reading import Column, needs
from deeprc.frames.lazy.several import Concat, Join, Values
from deeprc.frames.lazy.trees import Tree, conjuncts, expression_of, plain_column, replaced


def pushed(root: Node) -> Node:
    """The plan with every predicate moved as far down as leaves the rows the same."""
    return _Push(root).down(root, [])


class _Push:
    def __init__(self, root: Node) -> None:
        self.uses = uses(root)
        self.done: dict[int, Node] = {}

    def down(self, node: Node, predicates: list[Tree]) -> Node:
        """The node under the predicates on its rows; those that it cannot pass down stay above it."""
        if self.uses[id(node)] > 1 and not isinstance(node, Source):
            # What several steps use is computed once for all of them, so the predicates of each must stay above it.
            if id(node) not in self.done:
                self.done[id(node)] = self._through(node, [])
            return _filtered(self.done[id(node)], predicates)
        return self._through(node, predicates)

    def _through(self, node: Node, predicates: list[Tree]) -> Node:
        match node:
            case Source() if predicates and getattr(node.rows, "parted", ()):
                return self._source(node, predicates)
            case Filter() if node.predicate.tree is not None:
                own = conjuncts(node.predicate.tree)
                if all(needs(each).rowwise for each in own):
                    return self.down(node.input, [*predicates, *own])
            case Project():
                return self._project(node, predicates)
            case Join():
                return self._join(node, predicates)
            case Aggregate():
                plain = {key.name: plain_column(key.tree) for key in node.keys if key.tree is not None}
                return self._renamed(node, predicates, {name: old for name, old in plain.items() if old is not None})
            case Sort():
                return self._renamed(node, predicates, {name: name for name in node.columns})
            case Unique():
                return self._renamed(node, predicates, {name: name for name in node.subset})
            case Values():
                below, above = _parted(predicates, {name: name for name in node.input.columns})
                return _filtered(node.over(self.down(node.input, below), self.down(node.row, [])), above)
            case Concat():
                return node.over(*(self.down(piece, list(predicates)) for piece in node.pieces))
        return _filtered(node.over(*(self.down(each, []) for each in node.inputs)) if node.inputs else node, predicates)

    def _source(self, node: Source, predicates: list[Tree]) -> Node:
        """Leave out the files that have no such row according to the names of their folders."""
        of_files, above = _parted(predicates, {name: name for name in node.rows.parted})
        for tree in of_files:
            node = replace(node, rows=node.rows.where(expression_of(tree)))
        return _filtered(node, above)

    def _project(self, node: Project, predicates: list[Tree]) -> Node:
        if not all(column.needs.rowwise for column in node.made_columns):
            return self._renamed(node, predicates, {})
        return self._renamed(node, predicates, node.passed)

    def _renamed(self, node: Node, predicates: list[Tree], names: dict[str, str]) -> Node:
        """Pass on the predicates that read these columns alone, under the names that they have below."""
        below, above = _parted(predicates, names)
        return _filtered(node.over(self.down(node.inputs[0], below)), above)

    def _join(self, node: Join, predicates: list[Tree]) -> Node:
        sides = {"inner": "lr", "cross": "lr", "left": "l", "semi": "l", "anti": "l", "right": "r", "full": ""}
        origins = node.origins
        left = {name: a for name, (a, _) in origins.items() if a is not None and "l" in sides[node.how]}
        right = {name: b for name, (_, b) in origins.items() if b is not None and "r" in sides[node.how]}
        to_left, rest = _parted(predicates, left)
        to_right, _ = _parted(predicates, right)
        _, above = _parted(rest, right)
        if node.how == "semi":
            # Rows whose key the predicate drops on the left match nothing there.
            to_right, _ = _parted(predicates, dict(zip(node.left_on, node.right_on, strict=True)))
        return _filtered(node.over(self.down(node.left, to_left), self.down(node.right, to_right)), above)


def _parted(predicates: Sequence[Tree], names: dict[str, str]) -> tuple[list[Tree], list[Tree]]:
    """The predicates that read these columns alone, with the columns' other names, and the rest."""
    inside, outside = [], []
    for predicate in predicates:
        roots = set(expression_of(predicate).meta.root_names())
        if roots and roots <= set(names):
            inside.append(replaced(predicate, lambda node: _named(node, names)))
        else:
            outside.append(predicate)
    return inside, outside


def _named(node: Tree, names: dict[str, str]) -> Tree | None:
    return {"Column": names[node["Column"]]} if isinstance(node, dict) and isinstance(node.get("Column"), str) else None


def _filtered(node: Node, predicates: Sequence[Tree]) -> Node:
    for tree in predicates:
        expression = expression_of(tree)
        node = Filter(schema=node.schema, input=node, predicate=Column(expression.meta.output_name(), expression, tree))
    return node
