"""Aggregates over all ranks: of partial results where that can be, else with all rows of a group brought together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from deeprc.frames.lazy.apart import countable
from deeprc.frames.lazy.deal import EVERYWHERE, ONE, Deal, Size, hashed, is_little
from deeprc.frames.lazy.nodes import Aggregate
from deeprc.frames.lazy.order import in_order
from deeprc.frames.lazy.partial import Partials, partials, spreads
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.ranks import IN_MEMORY, STREAMING
from deeprc.frames.lazy.step import Step
from deeprc.frames.lazy.trees import plain_column
from deeprc.frames.names import free

if TYPE_CHECKING:
    from deeprc.frames.lazy.run import PlanRun

GROUPS = 0.75  # a groupby of n rows makes about n to the power of this many groups
SAMPLED = 2**14  # rows, to see how many are the same
FEW = 0.3  # of these are different where it pays to leave out the others
Made = Callable[[pl.LazyFrame], pl.LazyFrame]


def aggregate(run: PlanRun, node: Aggregate) -> Piece:
    piece, ranks = run.piece(node.input), run.ranks
    ordered = in_order(node.made_columns)
    if ordered and piece.deal.how == EVERYWHERE:
        piece = ranks.one(piece, "groups")  # what is left to chance or to the order would differ between copies
    keys = [key.name for key in node.keys]
    passed = {key.name: plain_column(key.tree) for key in node.keys if key.tree is not None}
    deal = piece.deal.renamed({name: old for name, old in passed.items() if old is not None})
    engine = IN_MEMORY if ordered else None
    size = _groups(node, piece.size)
    spills = bool(keys) and piece.deal.how != EVERYWHERE and ranks.spills(piece.size)
    here = deal.together(keys) and (piece.parts or not spills)
    if here and not spreads(node.made_columns):
        return run.alone(node, piece, deal, size, engine=engine)
    if keys and not here and not spills and _once_is_enough(node):
        return _all_rows(run, node, _different(run, piece), size, engine, "different rows of a group")
    two = partials(node.made_columns, node.input.schema, keys)
    if two is None:
        return run.alone(node, piece, deal, size, engine=engine) if here else _all_rows(run, node, piece, size, engine)
    by = [key.expression for key in node.keys]

    def first(made: list[pl.Expr]) -> Made:
        return lambda rows: rows.group_by(by).agg(made) if keys else rows.select(made)

    def merged(rows: pl.LazyFrame) -> pl.LazyFrame:
        if keys:
            return rows.group_by(keys).agg(two.merge).select(*keys, *two.last)
        rows = rows.select(two.merge).select(two.last)
        return rows.clear() if here and deal.how == ONE and ranks.comm.rank else rows

    if spills and not here:
        together = ranks.by_hash(piece, keys, "partial results", before=first(two.careful), ordered=ordered)
        return run.stepped(node.title, together, merged, together.deal, size, engine)
    partial_size = Size(min(size.rows * ranks.size, piece.size.rows), size.width, share=size.share)
    partial = run.stepped(f"PARTIAL {node.title}", piece, first(two.first), Deal(), partial_size)
    if not keys and not two.first:  # nothing but literals
        return Piece(pl.select(two.last).lazy(), Deal(EVERYWHERE), size, Step(node.title, [], size))
    if two.doubtful is not None and ranks.real:
        partial = _careful(run, piece, partial, first(two.careful), two)
    if here:
        return run.stepped(node.title, partial, merged, deal, size, engine)
    if not keys:
        gathered = ranks.everywhere(ranks.hold(partial, engine or STREAMING), "partial results")
        return run.stepped(node.title, gathered, merged, gathered.deal, size)
    partial = ranks.hold(partial, engine or STREAMING)
    if is_little(partial.size):
        together = ranks.one(partial, "partial results", small=True)
    else:
        together = ranks.by_hash(partial, keys, "partial results", ordered=ordered)
    return run.stepped(node.title, together, merged, together.deal, size, engine)


def _careful(run: PlanRun, piece: Piece, partial: Piece, careful: Made, two: Partials) -> Piece:
    """The partial results, made anew where digits are missing in them; in parts always with care, which costs more."""
    ranks = run.ranks
    if piece.parts:
        rows, parted = piece.mapped(careful)
        return replace(partial, rows=rows, parted=parted)

    def made() -> pl.DataFrame:
        rows = ranks.collected(partial.rows)
        return ranks.collected(careful(piece.rows)) if rows.select(two.doubtful).item() else rows

    held = ranks.comm.later(made, lambda: pl.DataFrame(schema=partial.schema))
    return replace(partial, rows=held.lazy(), held=held, counted=ranks.size == 1)


def _once_is_enough(node: Aggregate) -> bool:
    """Whether equal rows may come once or often: with `n_unique` this is cheaper than to send the values as lists."""
    aggregates = [tree for column in node.made_columns for tree in column.needs.aggregates]
    kinds = {kind for tree in aggregates if isinstance(tree, dict) for kind in tree.get("Agg", {"other": None})}
    plain = not any(column.needs.rows or column.needs.windows or column.needs.whole for column in node.made_columns)
    whole = plain and "Len" not in aggregates and "NUnique" in kinds and kinds <= {"NUnique", "Min", "Max"}
    return whole and all(map(countable, node.input.schema.values()))


def _different(run: PlanRun, piece: Piece) -> Piece:
    """The rows, each once where a sample says that many are the same: every rank looks for itself."""
    ranks = run.ranks
    if not ranks.real:
        return piece

    def made() -> pl.DataFrame:
        rows = ranks.collected(piece.rows) if piece.held is None else piece.held
        sample = rows.gather_every(max(rows.height // SAMPLED, 1))
        return ranks.collected(rows.lazy().unique()) if sample.n_unique() < FEW * sample.height else rows

    held = ranks.comm.later(made, lambda: pl.DataFrame(schema=piece.schema))
    return replace(piece, rows=held.lazy(), held=held, counted=ranks.size == 1)


def _all_rows(
    run: PlanRun, node: Aggregate, piece: Piece, size: Size, engine: str | None, why: str = "all rows of a group"
) -> Piece:
    """Groups that need all their rows at once: these are brought together."""
    ranks = run.ranks
    if not node.keys:
        return run.alone(node, ranks.one(piece, "an aggregate of all rows"), Deal(ONE), size, engine=engine)
    made = [key for key in node.keys if key.tree is None or plain_column(key.tree) != key.name]
    taken = [*node.input.columns, *(key.name for key in node.keys)]
    hidden = {key.name: free(taken, f"key {number}") for number, key in enumerate(node.keys)}
    if made:
        named = [key.expression.alias(hidden[key.name]) for key in node.keys]
        piece = replace(piece, rows=piece.rows.with_columns(named), held=None)
        keys = [hidden[key.name] for key in node.keys]
    else:
        keys = [key.name for key in node.keys]
    together = ranks.by_hash(piece, keys, why)

    def of_groups(rows: pl.LazyFrame) -> pl.LazyFrame:
        return node.made(rows.drop(keys) if made else rows)

    result = run.stepped(node.title, together, of_groups, Deal(), size)
    if engine is not None:
        result = ranks.computed(result, node.schema, engine)
    names = [key.name for key in node.keys]
    return replace(result, deal=hashed(names))


def _groups(node: Aggregate, size: Size) -> Size:
    if not node.keys:
        return Size(1, size.width)
    return Size(size.rows**GROUPS, size.wide(node.input.schema, node.schema).width, share=size.share)
