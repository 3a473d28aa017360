"""Joins: one side goes to every rank, or both are dealt by their keys; what is dealt so already stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from deeprc.frames.lazy.deal import EVERYWHERE, HASHED, ONE, Deal, Size, is_little, spreads
from deeprc.frames.lazy.footers import RANGED
from deeprc.frames.lazy.nodes import Node, is_cheap
from deeprc.frames.lazy.piece import InReach, Parted, Piece
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.step import Step

if TYPE_CHECKING:
    from deeprc.frames.lazy.run import PlanRun

# Which sides may be on every rank while the other is dealt: each row of the result is then made on one rank.
RIGHT_EVERYWHERE = ("inner", "left", "semi", "anti", "cross")
LEFT_EVERYWHERE = ("inner", "right", "cross")
MATCHING = 0.5  # of the rows have a match in a semi join, when nothing better is known
FEW_KEYS = 200_000  # of so many at most a set is made, by which rows are chosen where they are read
MOST_HELD = 2**30  # bytes of a side, estimated, that is computed for the sake of its size
ASKED = 0.2  # times as many rows as the right side has may a semi join's left one have, to send its keys first
SELECTIVE = 0.5  # of the rows of a table, or fewer, must be left for that
PLAIN_KEYS = (*RANGED, pl.UInt64, pl.String)


def join(run: PlanRun, node: Join) -> Piece:
    """Join two pieces, with as few rows on their way as can be told."""
    left, right, side = _placed(run, node, run.piece(node.left), run.piece(node.right))
    step = Step(node.title, [left.step, right.step], _size(node, left.size, right.size))
    left, right = run.ranks.in_parts(node, *_matching(node, left, right))
    deal = _named(node, left.deal if side == "left" else right.deal, side)
    rows, pairs = node.made(left.rows, right.rows), []
    if left.parts or right.parts:
        pairs = zip(
            left.parts or [left.rows] * len(right.parts), right.parts or [right.rows] * len(left.parts), strict=True
        )
    parted = Parted(rows, tuple(node.made(*pair) for pair in pairs)) if pairs else None
    return Piece(rows, deal, step.size, step, False, parted=parted)


def _known(run: PlanRun, node: Node, piece: Piece, other: Piece) -> Piece:
    """A side, computed if it may turn out to be so little that the other one, which is not, can stay where it is."""
    sure = piece.size.measured or is_cheap(node) or piece.size.bytes > MOST_HELD
    return piece if sure or is_little(other.size) else run.ranks.hold(piece)


def _lean(right: Piece, node: Join) -> Piece:
    """A semi join's right side on its way, without what the join does not look at: all but different keys."""
    if right.held is not None:
        return right
    keys = list(node.right_on)
    names = {name: name for name in keys}
    rows = right.rows.select(keys).unique()
    return replace(right, rows=rows, deal=right.deal.renamed(names), size=right.size.part(MATCHING))


def _asked(run: PlanRun, node: Join, left: Piece, right: Piece) -> tuple[Piece, Piece]:
    """A semi join's sides; of the right one only what the left one's few rows ask for, before it travels."""
    ranks = run.ranks
    if right.held is not None or left.size.rows > ASKED * right.size.rows or node.options.get("nulls_equal"):
        return left, right
    left = ranks.hold(left)
    if left.size.rows > min(ASKED * right.size.rows, FEW_KEYS):
        return left, right
    keys = ranks.everywhere(_different(left, node.left_on), "keys that the right side is asked for")
    there = right.rows.join(keys.rows, left_on=node.right_on, right_on=node.left_on, how="semi")
    step = Step("SEMI JOIN with these keys", [right.step, keys.step], right.size)
    return left, replace(right, rows=there, size=replace(right.size, rows=keys.size.rows, measured=False), step=step)


def _different(side: Piece, keys: Sequence[str]) -> Piece:
    """The different keys of a side that is held; as much in reach as its rows are."""
    rows, step = side.held.select(keys).unique(), Step("different keys", [side.step], side.size)
    every = side.only(keys)
    reach = None if every is None else InReach(rows, lambda: every().unique())
    return Piece(rows.lazy(), Deal(), side.size, step, held=rows, counted=reach is not None, in_reach=reach)


def _matching(node: Join, left: Piece, right: Piece) -> tuple[Piece, Piece]:
    """The sides; from one that is not computed yet, rows go at once that match none of the few of the other.

    Polars can then use the keys of the few where it reads the many, as it does by itself for a side that it filters.
    """
    if node.how in ("inner", "left"):
        right = _among(node, right, node.right_on, left, node.left_on)
    if node.how in ("inner", "right", "semi"):
        left = _among(node, left, node.left_on, right, node.right_on)
    return left, right


def _among(node: Join, many: Piece, keys: Sequence[str], few: Piece, their: Sequence[str]) -> Piece:
    held = few.held
    if held is None or many.held is not None or node.options.get("nulls_equal") or held.height > FEW_KEYS:
        return many
    if few.size.share > SELECTIVE or not keys:
        return many
    kinds = [held.schema[name] for name in their]
    plain = [(key, held[name]) for key, name, kind in zip(keys, their, kinds, strict=True) if kind in PLAIN_KEYS]
    if not plain:
        return many
    key, values = max(((key, values.unique()) for key, values in plain), key=lambda one: one[1].len())
    return replace(many, rows=many.rows.filter(pl.col(key).is_in(values.drop_nulls().implode())))


def _placed(run: PlanRun, node: Join, left: Piece, right: Piece) -> tuple[Piece, Piece, str]:
    """Both sides where they can be joined rank by rank, and beside which of them the result's rows then are."""
    ranks = run.ranks
    if left.deal.how == right.deal.how and left.deal.how in (EVERYWHERE, ONE):
        return left, right, _kept(node)
    if right.deal.how == EVERYWHERE and node.how in RIGHT_EVERYWHERE:
        return left, right, "left"
    if left.deal.how == EVERYWHERE and node.how in LEFT_EVERYWHERE:
        return left, right, "right"
    left, right = ranks.spread(left), ranks.spread(right)
    if node.how == "cross":
        return _cross(run, left, right)
    at_left, at_right = left.deal.places(node.left_on), right.deal.places(node.right_on)
    if at_left is not None and at_left == at_right and left.deal.like(right.deal):
        return left, right, _kept(node)
    left, right = _known(run, node.left, left, right), _known(run, node.right, right, left)
    if at_right is None and node.how in ("semi", "anti"):
        left, right = _asked(run, node, left, right)
        right = _lean(right, node)
    sides = {"left": left, "right": right}
    small, large = ("left", "right") if left.size.bytes < right.size.bytes else ("right", "left")
    if node.how in (LEFT_EVERYWHERE if small == "left" else RIGHT_EVERYWHERE):
        dealt = at_left if large == "left" else at_right
        # A side that lies right already would have to be tiny for the other one not to be dealt beside it.
        if dealt is None and (at_left is at_right or spreads(sides[small].size, sides[large].size, ranks.size)):
            sides[small] = ranks.hold(sides[small])
            if ranks.fits(sides[small].size) and spreads(sides[small].size, sides[large].size, ranks.size):
                sides[small] = ranks.everywhere(sides[small], f"the {small} side of a join")
                return sides["left"], sides["right"], large
    if at_left is not None or at_right is not None:
        return _beside(run, node, sides["left"], sides["right"], at_left, at_right)
    left, right = (_with_keys(sides[side], node, side) for side in ("left", "right"))
    if (both := ranks.split(left, right, node)) is not None:
        return *both, _kept(node)
    left = ranks.by_hash(left, node.left_on, "the left side of a join", ordered=False)
    right = ranks.by_hash(right, node.right_on, "the right side of a join", ordered=False)
    return left, right, _kept(node)


def _kept(node: Join) -> str:
    """The side of which every row of the result has a key, where both sides lie by their keys."""
    return "right" if node.how == "right" else "left"


def _with_keys(piece: Piece, node: Join, side: str) -> Piece:
    """The rows of a side that can match something, where the others are not in the result: no null among the keys."""
    needed = ("inner", "right", "semi") if side == "left" else ("inner", "left", "semi", "anti")
    if node.how not in needed or node.options.get("nulls_equal"):
        return piece
    keys = list(node.left_on if side == "left" else node.right_on)
    if piece.held is not None and not any(piece.held[name].null_count() for name in keys):
        return piece
    held = None if piece.held is None else piece.held.drop_nulls(keys)
    return replace(piece, rows=piece.rows.drop_nulls(keys) if held is None else held.lazy(), held=held)


def _beside(
    run: PlanRun, node: Join, left: Piece, right: Piece, at_left: list[int] | None, at_right: list[int] | None
) -> tuple[Piece, Piece, str]:
    """One side is dealt by some of the keys: the other one is dealt alike."""
    if (both := run.ranks.split(left, right, node, at_left, at_right)) is not None:
        return *both, _kept(node)
    if at_right is None or (at_left is not None and left.size.bytes >= right.size.bytes):
        keys = [node.right_on[place] for place in at_left]
        right = run.ranks.by_hash(right, keys, "the right side of a join", left.deal.borders, ordered=False)
        return left, right, _kept(node)
    keys = [node.left_on[place] for place in at_right]
    left = run.ranks.by_hash(left, keys, "the left side of a join", right.deal.borders, ordered=False)
    return left, right, _kept(node)


def _cross(run: PlanRun, left: Piece, right: Piece) -> tuple[Piece, Piece, str]:
    if right.size.bytes <= left.size.bytes:
        return left, run.ranks.everywhere(right, "the right side of a cross join"), "left"
    return run.ranks.everywhere(left, "the left side of a cross join"), right, "right"


def _named(node: Join, deal: Deal, side: str) -> Deal:
    """The deal of a side by the names of the result."""
    if deal.how != HASHED:
        return deal
    if node.how == "full":
        return Deal()  # a row of one side alone has nulls in the place of the other's keys
    here = 0 if side == "left" else 1
    pairs = list(zip(node.left_on, node.right_on, strict=True))
    partner = {pair[1 - here]: pair[here] for pair in pairs}
    names: dict[str, str] = {}
    for name, origin in node.origins.items():
        if origin[here] is not None:
            names[name] = origin[here]
        elif node.how == "inner" and origin[1 - here] in partner:
            names[name] = partner[origin[1 - here]]  # rows of an inner join have the same value in both keys
    return deal.renamed(names)


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
