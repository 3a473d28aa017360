"""Joins: one side goes to every rank, or both are dealt by their keys; what is dealt so already stays where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deeprc.frames.lazy.deal import EVERYWHERE, HASHED, ONE, Deal, Size, spreads
from deeprc.frames.lazy.ranks import Piece
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.step import Step

if TYPE_CHECKING:
    from deeprc.frames.lazy.run import PlanRun

# Which sides may be on every rank while the other is dealt: each row of the result is then made on one rank.
RIGHT_EVERYWHERE = ("inner", "left", "semi", "anti", "cross")
LEFT_EVERYWHERE = ("inner", "right", "cross")
MATCHING = 0.5  # of the rows have a match in a semi join, when nothing better is known


def join(run: PlanRun, node: Join) -> Piece:
    """Join two pieces, with as few rows on their way as can be told."""
    left, right = _lean(run.piece(node.left), run.piece(node.right), node)
    left, right, deal = _placed(run, node, left, right)
    step = Step(node.title, [left.step, right.step], _size(node, left.size, right.size))
    return Piece(node.made(left.rows, right.rows), _named(node, deal), step.size, step, False)


def _lean(left: Piece, right: Piece, node: Join) -> tuple[Piece, Piece]:
    """The pieces without what the join does not look at: of a semi join's right side, all but different keys."""
    if node.how in ("semi", "anti") and right.held is None and right.deal.how not in (EVERYWHERE, ONE):
        keys = list(node.right_on)
        rows = right.rows.select(keys).unique()
        names = {name: name for name in keys}
        right = replace(right, rows=rows, deal=right.deal.renamed(names), size=right.size.part(MATCHING))
    return left, right


def _placed(run: PlanRun, node: Join, left: Piece, right: Piece) -> tuple[Piece, Piece, Deal]:
    """Both sides where they can be joined rank by rank, and where the result's rows then are."""
    ranks = run.ranks
    if left.deal.how == right.deal.how and left.deal.how in (EVERYWHERE, ONE):
        return left, right, left.deal
    if right.deal.how == EVERYWHERE and node.how in RIGHT_EVERYWHERE:
        return left, right, left.deal
    if left.deal.how == EVERYWHERE and node.how in LEFT_EVERYWHERE:
        return left, right, right.deal
    left, right = ranks.spread(left), ranks.spread(right)
    if node.how == "cross":
        return _cross(run, left, right)
    at_left, at_right = left.deal.places(node.left_on), right.deal.places(node.right_on)
    if at_left is not None and at_left == at_right:
        return left, right, left.deal
    sides = {"left": left, "right": right}
    small, large = ("left", "right") if left.size.bytes < right.size.bytes else ("right", "left")
    if node.how in (LEFT_EVERYWHERE if small == "left" else RIGHT_EVERYWHERE):
        dealt = at_left if large == "left" else at_right
        # A side that lies right already would have to be tiny for the other one not to be dealt beside it.
        if dealt is None and (at_left is at_right or spreads(sides[small].size, sides[large].size, ranks.size)):
            sides[small] = ranks.hold(sides[small])
            if spreads(sides[small].size, sides[large].size, ranks.size):
                sides[small] = ranks.everywhere(sides[small], f"the {small} side of a join")
                return sides["left"], sides["right"], sides[large].deal
    if at_left is not None or at_right is not None:
        return _beside(run, node, sides["left"], sides["right"], at_left, at_right)
    left = ranks.by_hash(_with_keys(sides["left"], node, "left"), node.left_on, "the left side of a join")
    right = ranks.by_hash(_with_keys(sides["right"], node, "right"), node.right_on, "the right side of a join")
    return left, right, left.deal


def _with_keys(piece: Piece, node: Join, side: str) -> Piece:
    """The rows of a side that can match something, where the others are not in the result: no null among the keys."""
    needed = ("inner", "right", "semi") if side == "left" else ("inner", "left", "semi", "anti")
    if node.how not in needed or node.options.get("nulls_equal"):
        return piece
    keys = list(node.left_on if side == "left" else node.right_on)
    held = None if piece.held is None else piece.held.drop_nulls(keys)
    return replace(piece, rows=piece.rows.drop_nulls(keys) if held is None else held.lazy(), held=held)


def _beside(
    run: PlanRun, node: Join, left: Piece, right: Piece, at_left: list[int] | None, at_right: list[int] | None
) -> tuple[Piece, Piece, Deal]:
    """One side is dealt by some of the keys: the other one is dealt alike."""
    if at_right is None or (at_left is not None and left.size.bytes >= right.size.bytes):
        keys = [node.right_on[place] for place in at_left]
        return left, run.ranks.by_hash(right, keys, "the right side of a join"), left.deal
    keys = [node.left_on[place] for place in at_right]
    left = run.ranks.by_hash(left, keys, "the left side of a join")
    return left, right, left.deal


def _cross(run: PlanRun, left: Piece, right: Piece) -> tuple[Piece, Piece, Deal]:
    if right.size.bytes <= left.size.bytes:
        return left, run.ranks.everywhere(right, "the right side of a cross join"), left.deal
    return run.ranks.everywhere(left, "the left side of a cross join"), right, right.deal


def _named(node: Join, deal: Deal) -> Deal:
    """The deal by the names of the result."""
    if deal.how != HASHED:
        return deal
    if node.how == "full":
        return Deal()  # a row of one side alone has nulls in the place of the other's keys
    names: dict[str, str] = {}
    pairs = dict(zip(node.left_on, node.right_on, strict=True))
    back = {b: a for a, b in pairs.items()}
    for name, (a, b) in node.origins.items():
        # The rows of an inner join have the same value in both keys.
        if a is not None and node.how != "right":
            names[name] = a
        elif b is not None and b in back and node.how in ("inner", "right"):
            names[name] = back[b]
    keys = tuple(frozenset(n for n, old in names.items() if old in key or pairs.get(old) in key) for key in deal.keys)
    return Deal(HASHED, keys) if all(keys) else Deal()


def _size(node: Join, left: Size, right: Size) -> Size:
    both = left.width + right.width
    match node.how:
        case "semi":
            return left.part(right.share if right.share < 1 else MATCHING)
        case "anti":
            return left.part(MATCHING)
        case "cross":
            return Size(left.rows * right.rows, both)
        case "left":
            return replace(left, width=both, measured=False)
        case "right":
            return replace(right, width=both, measured=False)
        case "full":
            return Size(left.rows + right.rows, both)
    # Each row of the side that was larger when it was read has a partner, say, in the other: of these some are left.
    many, few = (left, right) if left.read >= right.read else (right, left)
    return replace(many.part(few.share), width=both)
