"""A plan, carried out: what a rank can do alone stays a lazy frame of Polars until rows must go to another rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from deeprc.frames.agreement import PLAN
from deeprc.frames.lazy import run_groups, run_join, run_order, run_parts
from deeprc.frames.lazy.apart import Quantiles
from deeprc.frames.lazy.cuts import Cut, cuts
from deeprc.frames.lazy.deal import EVERYWHERE, HASHED, ONE, Deal, Size
from deeprc.frames.lazy.deep import refuse_deep
from deeprc.frames.lazy.nodes import (
    Aggregate,
    Filter,
    Local,
    Node,
    Project,
    Slice,
    Sort,
    Source,
    Unique,
    Whole,
    Window,
    is_cheap,
    uses,
)
from deeprc.frames.lazy.order import order_matters
from deeprc.frames.lazy.parts import Asof, Keyed, Numbered, Sample
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.prune import pruned
from deeprc.frames.lazy.push import pushed
from deeprc.frames.lazy.ranks import IN_MEMORY, Ranks
from deeprc.frames.lazy.several import Concat, Join, Values
from deeprc.frames.lazy.step import Step, described

FILTERED = 0.3  # of the rows are left by a predicate, when nothing better is known


def planned(root: Node, ranks: int, same: dict[str, str]) -> tuple[Node, dict[int, Cut]]:
    """A plan, rewritten, and where its sources are cut; `same` gets both, so that ranks notice if they differ."""
    refuse_deep(root)
    plan = pruned(pushed(root))
    cut = cuts(plan, ranks, order_matters(plan))
    same[PLAN] = described(plan, cut)
    return plan, cut


class PlanRun:
    """One run of a plan.

    Parameters
    ----------
    root
        The plan, rewritten.
    ranks
        Those that do it, or an outline of them.
    cuts
        Where sources are cut, by their ids (see `cuts`).
    """

    def __init__(self, root: Node, ranks: Ranks, cuts: Mapping[int, Cut]) -> None:
        self.root, self.ranks, self.cuts = root, ranks, cuts
        self.uses, self.ordered = uses(root), order_matters(root)
        self.done: dict[int, Piece] = {}

    def result(self) -> Piece:
        return self.piece(self.root)

    def piece(self, node: Node) -> Piece:
        """This rank's share of a node's result; that of a node which several take is computed once."""
        if id(node) in self.done:
            return self.done[id(node)]
        piece = self._piece(node)
        if self.uses[id(node)] > 1 and not is_cheap(node):
            piece = self.done[id(node)] = self.ranks.hold(piece)
        return piece

    def _piece(self, node: Node) -> Piece:
        match node:
            case Source():
                return self._source(node)
            case Filter():
                piece = self.piece(node.input)
                return self.alone(node, piece, piece.deal, piece.size.part(FILTERED))
            case Project():
                return self._project(node)
            case Local():
                piece = self.piece(node.input)
                deal = piece.deal if node.method == "drop_nulls" or piece.deal.how != HASHED else Deal()
                return self.alone(node, piece, deal, piece.size)
            case Aggregate():
                return run_groups.aggregate(self, node)
            case Window():
                return self._window(node)
            case Whole():
                piece = self.ranks.one(self.piece(node.input), node.why)
                return self.alone(node, piece, piece.deal, piece.size, engine=IN_MEMORY)
            case Values():
                return self._values(node)
            case Join():
                return run_join.join(self, node)
            case Sort():
                return run_order.sort(self, node)
            case Slice():
                return run_order.slice(self, node)
            case Unique():
                return run_order.unique(self, node)
            case Quantiles():
                return run_order.quantiles(self, node)
            case Concat():
                return run_order.concat(self, node)
            case Keyed():
                return run_parts.keyed(self, node)
            case Numbered():
                return run_parts.numbered(self, node)
            case Sample():
                return run_parts.sample(self, node)
            case Asof():
                return run_parts.asof(self, node)
        # Nothing that a user writes leads here: a kind of step was added to the nodes, and not above.
        raise AssertionError(f"no way to run a step {type(node).__name__}")

    def _source(self, node: Source) -> Piece:
        cut = self.cuts.get(id(node))
        if cut is None:
            rows, deal, size = node.rows.share(node.columns, self.ranks)
        else:
            rows, deal, size = node.rows.share(node.columns, self.ranks, cut)
        title = node.title if cut is None else f"{node.title} by ranges of {cut.column}"
        return Piece(rows, deal, size, Step(title, (), size), cut is None)

    def _project(self, node: Project) -> Piece:
        piece = self.piece(node.input)
        size = piece.size.wide(node.input.schema, node.schema)
        return self.alone(node, piece, piece.deal.renamed(node.passed), size)

    def _window(self, node: Window) -> Piece:
        piece = self.piece(node.input)
        if piece.deal.how == EVERYWHERE:
            piece = self.ranks.one(piece, "a window")
        if piece.deal.together(node.keys) and (piece.parts or not self.ranks.spills(piece.size)):
            return self.alone(node, piece, piece.deal.renamed({n: n for n in node.columns}), piece.size)
        restore = id(node) in self.ordered and piece.ordered
        if restore:
            piece = run_order.numbered(self, piece, node.columns)
        together = self.ranks.by_hash(piece, list(node.keys), "all rows of a window")
        made = self.stepped(node.title, together, node.made, together.deal, together.size, IN_MEMORY)
        return run_order.restored(self, made, node.columns) if restore else made

    def _values(self, node: Values) -> Piece:
        row = self.ranks.computed(self.ranks.everywhere(self.piece(node.row), "values for all"), node.row.schema)
        piece = self.piece(node.input)
        # As literals they keep the order of the rows, and can become part of what is read.
        values = [pl.lit(row.held[name]).first().alias(name) for name in row.held.columns]
        size = piece.size.wide(node.input.schema, node.schema)
        step = Step(node.title, [piece.step, row.step], size)
        rows, parted = piece.mapped(lambda each: each.with_columns(values))
        return Piece(rows, piece.deal, size, step, piece.ordered, parted=parted)

    def alone(self, node: Node, piece: Piece, deal: Deal, size: Size, *, engine: str | None = None) -> Piece:
        """What a rank does with its rows alone."""

        def made(rows: pl.LazyFrame) -> pl.LazyFrame:
            rows = node.made(rows)
            # An aggregate makes a row of no rows, too: there is one of all ranks.
            alone = deal.how == ONE and self.ranks.comm.rank and not isinstance(node, Filter | Project)
            return rows.clear() if alone else rows

        stepped = self.stepped(node.title, piece, made, deal, size)
        return stepped if engine is None else self.ranks.computed(stepped, node.schema, engine)

    def stepped(
        self,
        title: str,
        piece: Piece,
        made: Callable[[pl.LazyFrame], pl.LazyFrame],
        deal: Deal,
        size: Size,
        engine: str | None = None,
    ) -> Piece:
        rows, parted = piece.mapped(made)
        made_piece = Piece(rows, deal, size, Step(title, [piece.step], size), piece.ordered, parted=parted)
        return made_piece if engine is None else self.ranks.hold(made_piece, engine)
