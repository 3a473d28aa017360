"""Where the order of rows matters: it costs an exchange to restore it."""

from __future__ import annotations

from collections import defaultdict

from deeprc.frames.lazy.apart import Quantiles
from deeprc.frames.lazy.nodes import Aggregate, Node, Slice, Sort, Unique, Whole, Window, bottom_up
from deeprc.frames.lazy.parts import Asof, Keyed, Numbered, Sample
from deeprc.frames.lazy.reading import Column, needs
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.trees import parts


def order_matters(root: Node) -> set[int]:
    """The ids of the nodes whose rows must come in the order that Polars gives them."""
    wanted: dict[int, bool] = defaultdict(bool)
    wanted[id(root)] = True
    for node in reversed(bottom_up(root)):
        for input in node.inputs:
            wanted[id(input)] |= _asks(node, wanted[id(node)])
    return {number for number, is_wanted in wanted.items() if is_wanted}


def in_order(columns: tuple[Column, ...]) -> bool:
    """Whether aggregates may depend on the order of the rows: all but those that are known not to."""
    for column in columns:
        needs = column.needs
        if needs.rows or needs.windows or needs.ordered:
            return True
    return False


def _looks_around(node: Window) -> bool:
    """Whether a window's value may depend on the order of its rows: all but those known not to."""
    for column in node.made_columns:
        for part in parts(column.tree):
            if isinstance(part, dict) and "Over" in part and needs(part["Over"]["function"]).ordered:
                return True
    return False


def _asks(node: Node, wanted: bool) -> bool:
    match node:
        case Aggregate():
            return in_order(node.made_columns)
        case Join() | Quantiles():
            return False
        case Sort():
            return node.maintain_order
        case Unique():
            return node.maintain_order or node.keep in ("first", "last")
        case Window():
            return wanted or _looks_around(node)
        case Slice() | Whole() | Asof() | Keyed() | Numbered() | Sample():
            return True
    return wanted
