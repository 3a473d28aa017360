"""A plan, carried out: what a rank can do alone stays a lazy frame of Polars until rows must go to another rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from deeprc.frames.lazy import run_join, run_order, run_parts
from deeprc.frames.lazy.cuts import cuts
from deeprc.frames.lazy.deal import EVERYWHERE, HASHED, ONE, Deal, Size, hashed, is_little
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
from deeprc.frames.lazy.order import in_order, order_matters
from deeprc.frames.lazy.partial import partials
from deeprc.frames.lazy.parts import Asof, Keyed, Numbered, Sample
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.ranks import IN_MEMORY, Ranks
from deeprc.frames.lazy.several import Concat, Join, Values
from deeprc.frames.lazy.step import Step
from deeprc.frames.lazy.trees import plain_column

FILTERED = 0.3  # of the rows are left by a predicate, when nothing better is known
GROUPS = 0.75  # a groupby of n rows makes about n to the power of this many groups


class PlanRun:
    """One run of a plan.

    Parameters
    ----------
    root
        The plan, rewritten.
    ranks
        Those that do it, or an outline of them.
    """

    def __init__(self, root: Node, ranks: Ranks) -> None:
        self.root, self.ranks = root, ranks
        self.uses, self.ordered = uses(root), order_matters(root)
        self.cuts = cuts(root, ranks.size, self.ordered)
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
                return self._local(node, piece, piece.deal, piece.size.part(FILTERED))
            case Project():
                return self._project(node)
            case Local():
                piece = self.piece(node.input)
                deal = piece.deal if node.method == "drop_nulls" or piece.deal.how != HASHED else Deal()
                return self._local(node, piece, deal, piece.size)
            case Aggregate():
                return self._aggregate(node)
            case Window():
                return self._window(node)
            case Whole():
                piece = self.ranks.one(self.piece(node.input), node.why)
                return self._local(node, piece, piece.deal, piece.size, engine=IN_MEMORY)
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
        return self._local(node, piece, piece.deal.renamed(node.passed), size)

    def _aggregate(self, node: Aggregate) -> Piece:
        piece, ranks = self.piece(node.input), self.ranks
        if in_order(node.made_columns) and piece.deal.how == EVERYWHERE:
            piece = ranks.one(piece, "groups")  # what is left to chance or to the order would differ between copies
        keys = [key.name for key in node.keys]
        passed = {key.name: plain_column(key.tree) for key in node.keys if key.tree is not None}
        deal = piece.deal.renamed({name: old for name, old in passed.items() if old is not None})
        engine = IN_MEMORY if in_order(node.made_columns) else None
        size = self._groups(node, piece.size)
        spills = bool(keys) and piece.deal.how != EVERYWHERE and ranks.spills(piece.size)
        if deal.together(keys) and (piece.parts or not spills):
            return self._local(node, piece, deal, size, engine=engine)
        two = partials(node.made_columns, node.input.schema, keys)
        if two is None:
            return self._all_rows(node, piece, size, engine)
        by = [key.expression for key in node.keys]

        def first(rows: pl.LazyFrame) -> pl.LazyFrame:
            return rows.group_by(by).agg(two.first) if keys else rows.select(two.first)

        def merged(rows: pl.LazyFrame) -> pl.LazyFrame:
            return rows.group_by(keys).agg(two.merge).select(*keys, *two.last)

        if spills:
            together = ranks.by_hash(piece, keys, "partial results", before=first, ordered=False)
            return self._stepped(node.title, together, merged, together.deal, size)
        partial_size = Size(min(size.rows * ranks.size, piece.size.rows), size.width, share=size.share)
        partial = self._stepped(f"PARTIAL {node.title}", piece, first, Deal(), partial_size)
        if not keys and not two.first:  # nothing but literals
            return Piece(pl.select(two.last).lazy(), Deal(EVERYWHERE), size, Step(node.title, [], size))
        if not keys:
            gathered = ranks.everywhere(partial, "partial results")
            return self._stepped(
                node.title, gathered, lambda rows: rows.select(two.merge).select(two.last), gathered.deal, size
            )
        partial = ranks.hold(partial)
        if is_little(partial.size):
            together = ranks.one(partial, "partial results", small=True)
        else:
            together = ranks.by_hash(partial, keys, "partial results", ordered=False)
        return self._stepped(node.title, together, merged, together.deal, size)

    def _all_rows(self, node: Aggregate, piece: Piece, size: Size, engine: str | None) -> Piece:
        """Groups that need all their rows at once: these are brought together."""
        if not node.keys:
            return self._local(node, self.ranks.one(piece, "an aggregate of all rows"), Deal(ONE), size, engine=engine)
        made = [key for key in node.keys if key.tree is None or plain_column(key.tree) != key.name]
        hidden = {key.name: f"key {number}" for number, key in enumerate(node.keys)}
        if made:
            named = [key.expression.alias(hidden[key.name]) for key in node.keys]
            piece = replace(piece, rows=piece.rows.with_columns(named), held=None)
            keys = [hidden[key.name] for key in node.keys]
        else:
            keys = [key.name for key in node.keys]
        together = self.ranks.by_hash(piece, keys, "all rows of a group")

        def of_groups(rows: pl.LazyFrame) -> pl.LazyFrame:
            return node.made(rows.drop(keys) if made else rows)

        result = self._stepped(node.title, together, of_groups, Deal(), size)
        if engine is not None:
            result = self.ranks.computed(result, node.schema, engine)
        names = [key.name for key in node.keys]
        return replace(result, deal=hashed(names))

    def _window(self, node: Window) -> Piece:
        piece = self.piece(node.input)
        if piece.deal.how == EVERYWHERE:
            piece = self.ranks.one(piece, "a window")
        if piece.deal.together(node.keys) and (piece.parts or not self.ranks.spills(piece.size)):
            return self._local(node, piece, piece.deal.renamed({n: n for n in node.columns}), piece.size)
        restore = id(node) in self.ordered and piece.ordered
        if restore:
            piece = run_order.numbered(self, piece, node.columns)
        together = self.ranks.by_hash(piece, list(node.keys), "all rows of a window")
        made = self._stepped(node.title, together, node.made, together.deal, together.size, IN_MEMORY)
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

    def _groups(self, node: Aggregate, size: Size) -> Size:
        if not node.keys:
            return Size(1, size.width)
        return Size(size.rows**GROUPS, size.wide(node.input.schema, node.schema).width, share=size.share)

    def _local(self, node: Node, piece: Piece, deal: Deal, size: Size, *, engine: str | None = None) -> Piece:
        """What a rank does with its rows alone."""

        def made(rows: pl.LazyFrame) -> pl.LazyFrame:
            rows = node.made(rows)
            # An aggregate makes a row of no rows, too: there is one of all ranks.
            alone = deal.how == ONE and self.ranks.comm.rank and not isinstance(node, Filter | Project)
            return rows.clear() if alone else rows

        stepped = self._stepped(node.title, piece, made, deal, size)
        return stepped if engine is None else self.ranks.computed(stepped, node.schema, engine)

    def _stepped(
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
