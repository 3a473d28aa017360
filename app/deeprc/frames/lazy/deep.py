"""Plans of more steps than can be planned."""

from __future__ import annotations

from deeprc.core.errors import InputError
from deeprc.frames.lazy.nodes import Node, bottom_up

MOST_DEEP = 250  # steps; each is several calls of Python's thousand


def refuse_deep(root: Node) -> None:
    """Refuse a plan whose planning would end in a RecursionError."""
    depth: dict[int, int] = {}
    for node in bottom_up(root):
        depth[id(node)] = 1 + max((depth[id(input)] for input in node.inputs), default=0)
    if depth[id(root)] > MOST_DEEP:
        raise InputError(
            "a lazy frame has more steps upon each other than can be planned",
            found=depth[id(root)],
            expected=f"at most {MOST_DEEP}",
            fix="collect() in between, and go on with lazy() of the result; give several columns to one with_columns()",
        )
