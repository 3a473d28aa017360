"""How the steps of `parts` are run: with whole keys together, or beside a side that every rank has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from deeprc.frames.lazy import run_order
from deeprc.frames.lazy.deal import EVERYWHERE, ONE, Deal, spreads
from deeprc.frames.lazy.parts import Asof, Keyed, Numbered, Sample
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.ranks import IN_MEMORY
from deeprc.frames.lazy.step import Step

if TYPE_CHECKING:
    from deeprc.frames.lazy.run import PlanRun

MOST_SPREAD = 1  # times as many bytes as the left side of an asof join may its right one have, to be sent everywhere


def keyed(run: PlanRun, node: Keyed) -> Piece:
    piece = run.piece(node.input)
    if piece.deal.how == EVERYWHERE:
        piece = run.ranks.one(piece, node.what.lower())
    if not piece.deal.together(node.keys) or (not piece.parts and run.ranks.spills(piece.size)):
        piece = run.ranks.by_hash(piece, node.keys, f"all rows of a key, for {node.what.lower()}")
    deal = piece.deal.renamed({name: name for name in node.keys if name in node.columns})
    step = Step(node.title, [piece.step], piece.size)
    rows, parted = piece.mapped(node.made)
    return run.ranks.hold(Piece(rows, deal, piece.size, step, deal.how == ONE, parted=parted), IN_MEMORY)


def numbered(run: PlanRun, node: Numbered) -> Piece:
    piece = run.ranks.spread(run.piece(node.input))
    if piece.deal.how == ONE:
        return replace(piece, rows=node.made(piece.rows), held=None, step=Step(node.title, [piece.step], piece.size))
    piece = run.ranks.hold(piece)
    before = run.ranks.before(piece.held.height)
    frame = node.numbered(piece.held.lazy(), before).collect()
    return replace(piece, rows=frame.lazy(), held=frame, step=Step(node.title, [piece.step], piece.size))


def sample(run: PlanRun, node: Sample) -> Piece:
    ranks = run.ranks
    piece = ranks.hold(ranks.spread(run.piece(node.input)))
    step = Step(node.title, [piece.step], piece.size)
    if not ranks.real:
        return replace(piece, step=step)
    mine = piece.held.height
    before, total = ranks.before(mine), ranks.total(mine)
    count = node.n if node.n is not None else int(total * node.fraction)
    # Every row draws a lot by its number; the lowest lots win. Two equal ones of 64 bits are told apart by the number.
    numbers = pl.Series(np.arange(before, before + mine, dtype=np.uint64))
    lots = pl.DataFrame({"lot": numbers.hash(node.seed), "number": numbers})
    best = lots.sort("lot", "number").head(count)
    every = pl.concat(ranks.comm.allgather(best)).sort("lot", "number").head(count)
    with ranks.comm.together():
        if count > total:
            raise too_many(count, total)
    drawn = every.filter(pl.col("number").is_between(before, before + mine, closed="left"))["number"].sort()
    frame = piece.held[(drawn - before).cast(pl.Int64)]
    return replace(piece, rows=frame.lazy(), held=frame, step=step, size=replace(piece.size, rows=count))


def too_many(count: int, total: int) -> Exception:
    from deeprc.core.errors import InputError

    return InputError("sample: more rows are drawn than there are", found=count, expected=f"at most {total}")


def asof(run: PlanRun, node: Asof) -> Piece:
    """The right side goes everywhere, if it is not large; else rows of equal keys come together, or all rows."""
    ranks = run.ranks
    left, right = ranks.spread(run.piece(node.left)), run.piece(node.right)
    if left.deal.how == ONE:
        right = ranks.one(right, "the right side of an asof join")
    elif right.deal.how != EVERYWHERE:
        right = ranks.hold(right)
        if spreads(right.size, left.size, MOST_SPREAD):
            right = ranks.everywhere(right, "the right side of an asof join")
        elif node.left_by:
            return _by_key(run, node, left, right)
        else:
            left, right = (ranks.one(side, "an asof join of large sides without by=") for side in (left, right))
    step = Step(node.title, [left.step, right.step], left.size)
    made = Piece(node.made(left.rows, right.rows), left.deal, left.size, step, left.ordered)
    return ranks.hold(made, IN_MEMORY)


def _by_key(run: PlanRun, node: Asof, left: Piece, right: Piece) -> Piece:
    ranks, columns = run.ranks, node.columns
    restore = id(node) in run.ordered and left.ordered
    if restore:
        left = run_order.numbered(run, left, columns)
    left = ranks.by_hash(left, node.left_by, "the left side of an asof join")
    right = ranks.by_hash(right, node.right_by, "the right side of an asof join")
    step = Step(node.title, [left.step, right.step], left.size)
    made = ranks.hold(Piece(node.made(left.rows, right.rows), Deal(), left.size, step, False), IN_MEMORY)
    return run_order.restored(run, made, columns) if restore else made
