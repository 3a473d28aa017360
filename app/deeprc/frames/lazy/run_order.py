"""Steps in which the order of rows matters: sorted, cut, without repetitions, one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from deeprc.frames.lazy.apart import VALUE, AskedQuantile, Quantiles
from deeprc.frames.lazy.deal import EVERYWHERE, ONE, Deal, Size, is_little
from deeprc.frames.lazy.nodes import Slice, Sort, Unique
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.ranks import IN_MEMORY
from deeprc.frames.lazy.several import Concat
from deeprc.frames.lazy.step import Step
from deeprc.frames.names import free
from deeprc.frames.sort import sort as sort_rows

if TYPE_CHECKING:
    from deeprc.frames.lazy.run import PlanRun

TOP = 100_000  # so many first rows of a sort are found by every rank among its own, and then among these
REPEATED = 0.5  # of the rows are left without repetitions, when nothing better is known


def sort(run: PlanRun, node: Sort) -> Piece:
    piece = run.piece(node.input)
    twice = run.ranks.spills(piece.size) and piece.held is None and piece.step.reads_files
    if piece.deal.how not in (EVERYWHERE, ONE) and not twice:
        piece = run.ranks.hold(piece)
        if is_little(piece.size):
            piece = run.ranks.one(piece, "few rows to sort")
    if piece.deal.how == EVERYWHERE or (piece.deal.how == ONE and not run.ranks.spills(piece.size)):
        rows = node.made(piece.rows)
        return Piece(rows, piece.deal, piece.size, Step(node.title, [piece.step], piece.size))
    if not twice:  # where the rows have no room, to read their keys twice is cheaper than to put the rows aside
        piece = run.ranks.hold(piece)
    nulls = [free(piece.schema.names(), f"null {name}") for name in node.by]
    marked = [pl.col(name).is_null().alias(null) for name, null in zip(node.by, nulls, strict=True)]
    last = [mark for mark, last in zip(marked, node.nulls_last, strict=True) if last]
    held = None if twice else piece.held.with_columns(last)
    held = replace(piece, rows=piece.rows.with_columns(last) if held is None else held.lazy(), held=held)
    by, falling = [], []
    for name, null, falls, is_last in zip(node.by, nulls, node.descending, node.nulls_last, strict=True):
        by += [null, name] if is_last else [name]
        falling += [False, falls] if is_last else [falls]
    frame = run.ranks.ordered(held, by, falling)
    if frame is None:
        frame = run.ranks.moved(held, lambda: sort_rows(held.held, by, falling, run.ranks.comm))
    frame = frame.select(node.columns)
    if twice:
        held = replace(held, size=run.ranks.measured(frame))
    step = Step(f"EXCHANGE in the order of {', '.join(node.by)}", [piece.step], held.size, run.ranks.sent(held, 1))
    return Piece(frame.lazy(), Deal(), held.size, Step(node.title, [step], held.size), True, frame)


def slice(run: PlanRun, node: Slice) -> Piece:
    ranks = run.ranks
    near = node.offset >= 0 and node.length is not None
    if near and isinstance(node.input, Sort) and run.uses[id(node.input)] == 1 and node.offset + node.length <= TOP:
        return _top(run, node, node.input)
    piece = run.piece(node.input)
    if piece.deal.how == EVERYWHERE:
        piece = ranks.one(piece, "a slice")
    if piece.deal.how == ONE:
        size = piece.size if node.length is None else _most(piece.size, node.length)
        return Piece(node.made(piece.rows), piece.deal, size, Step(node.title, [piece.step], size))
    if near and piece.held is None:
        most = node.offset + node.length
        piece = replace(piece, rows=piece.rows.head(most), size=_most(piece.size, most * ranks.size))
    piece = ranks.hold(piece)
    mine = piece.held.height
    before, total = ranks.before(mine), ranks.total(mine)
    start = node.offset if node.offset >= 0 else max(total + node.offset, 0)
    stop = total if node.length is None else start + node.length
    if node.offset < 0 and node.length is not None:
        stop = min(total + node.offset + node.length, total)
    first, end = min(max(start - before, 0), mine), min(max(stop - before, 0), mine)
    frame = piece.held.slice(first, max(end - first, 0))
    size = piece.size if node.length is None else _most(piece.size, node.length)
    step = Step(node.title, [piece.step], size)
    return replace(piece, rows=frame.lazy(), held=frame, size=size, step=step)


def quantiles(run: PlanRun, node: Quantiles) -> Piece:
    """Of values that are sorted over all ranks, the two between which each lies."""
    piece, ranks = run.piece(node.input), run.ranks
    if piece.deal.how not in (EVERYWHERE, ONE):
        piece = ranks.hold(replace(piece, rows=piece.rows.drop_nulls(), held=None))
        if is_little(piece.size):
            piece = ranks.one(piece, "few values")
    if piece.deal.how in (EVERYWHERE, ONE):
        return run.alone(node, piece, piece.deal, Size(1, 8))
    frame = ranks.ordered(piece, [VALUE], [False])
    if frame is None:
        frame = ranks.moved(piece, lambda: sort_rows(piece.held, [VALUE], [False], ranks.comm))
    row = pl.DataFrame(schema=node.schema)
    if ranks.real:
        before, total = ranks.before(frame.height), ranks.total(frame.height)
        places = [each.places(max(total, 1)) for each in node.asked]
        ends = {at for low, high, _ in places for at in (low, high) if before <= at < before + frame.height}
        mine = {at: frame[VALUE][at - before] for at in ends}
        known = {at: value for each in ranks.comm.allgather(mine) for at, value in each.items()}
        columns = []
        for (low, high, share), each in zip(places, node.asked, strict=True):
            two = pl.DataFrame({VALUE: [known.get(low), known.get(high)]}, schema={VALUE: frame.schema[VALUE]})
            columns.append(two.select(AskedQuantile(each.name, share, each.method).expression()).to_series())
        row = pl.DataFrame(columns)
    step = Step("EXCHANGE in the order of the values", [piece.step], piece.size, ranks.sent(piece, 1))
    size = Size(1, 8)
    return Piece(row.lazy(), Deal(EVERYWHERE), size, Step(node.title, [step], size), held=row)


def unique(run: PlanRun, node: Unique) -> Piece:
    piece, ranks = run.piece(node.input), run.ranks
    if piece.deal.how == EVERYWHERE:
        piece = ranks.one(piece, "rows of which one is taken")  # not another one on every rank
    subset = list(node.subset)
    ordered = node.maintain_order or node.keep in ("first", "last")
    engine = IN_MEMORY if ordered else "streaming"
    alone = piece.deal.how in (EVERYWHERE, ONE) or (piece.deal.together(subset) and not node.maintain_order)
    if alone and not ranks.spills(piece.size):
        made = Piece(node.made(piece.rows), piece.deal, piece.size, Step(node.title, [piece.step], piece.size))
        return ranks.hold(made, engine) if ordered else made
    restore = node.maintain_order and piece.ordered
    columns = node.columns
    if restore:
        piece = numbered(run, piece, columns)

    def without(rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.unique(subset, keep=node.keep, maintain_order=ordered)

    if node.keep != "none" and not ranks.spills(piece.size):
        piece = replace(piece, rows=without(piece.rows), held=None, size=piece.size.part(REPEATED))
        piece = ranks.hold(piece, engine)
    together = ranks.by_hash(piece, subset, "the same values")
    step = Step(node.title, [together.step], together.size)
    rows, parted = together.mapped(without)
    made = ranks.hold(Piece(rows, together.deal, together.size, step, False, parted=parted), engine)
    return restored(run, made, columns) if restore else made


def concat(run: PlanRun, node: Concat) -> Piece:
    pieces = [run.ranks.spread(run.piece(each)) for each in node.pieces]
    alone = all(piece.deal.how == ONE for piece in pieces)
    restore = id(node) in run.ordered and not alone and len(pieces) > 1
    if restore:
        done, pieces_numbered = 0, []
        for piece in pieces:
            piece = numbered(run, piece, node.columns, done)
            done += run.ranks.total(piece.held.height)
            pieces_numbered.append(piece)
        pieces = pieces_numbered
    rows = pl.concat([piece.rows for piece in pieces])
    size = Size(sum(p.size.rows for p in pieces), max(p.size.width for p in pieces))
    deal = Deal(ONE) if alone else Deal()
    made = Piece(rows, deal, size, Step(node.title, [piece.step for piece in pieces], size), alone)
    return restored(run, made, node.columns) if restore else made


def numbered(run: PlanRun, piece: Piece, columns: list[str], start: int = 0) -> Piece:
    """The rows with their number over all ranks in a column of its own: the last one."""
    piece = run.ranks.hold(piece)
    name = free(columns, "row number")
    offset = start + run.ranks.before(piece.held.height)
    frame = piece.held.with_columns(pl.int_range(offset, offset + pl.len(), dtype=pl.Int64).alias(name))
    return replace(piece, rows=frame.lazy(), held=frame)


def restored(run: PlanRun, piece: Piece, columns: list[str]) -> Piece:
    """The rows in the order of their numbers."""
    ranks, name = run.ranks, free(columns, "row number")
    piece = ranks.hold(piece)
    frame = ranks.ordered(piece, [name], [False])
    if frame is None:
        frame = ranks.moved(piece, lambda: sort_rows(piece.held, [name], [False], ranks.comm))
    frame = frame.select(columns)
    step = Step("EXCHANGE in the order that the rows had", [piece.step], piece.size, ranks.sent(piece, 1))
    return Piece(frame.lazy(), Deal(), piece.size, step, True, frame)


def _top(run: PlanRun, node: Slice, sorted_: Sort) -> Piece:
    piece, most = run.piece(sorted_.input), node.offset + node.length

    def first(rows: pl.LazyFrame) -> pl.LazyFrame:
        return sorted_.made(rows).head(most)

    size = _most(piece.size, most)
    if piece.deal.how not in (EVERYWHERE, ONE):
        step = Step(f"FIRST {most} IN THE {sorted_.title} of each rank", [piece.step], size)
        piece = Piece(first(piece.rows), Deal(), size, step, piece.ordered)
        piece = run.ranks.one(piece, "the first rows of each rank", small=True)
    if piece.deal.how == EVERYWHERE:
        piece = run.ranks.one(piece, "the first rows")
    step = Step(f"{sorted_.title}, {node.title}", [piece.step], size)
    return Piece(sorted_.made(piece.rows).slice(node.offset, node.length), piece.deal, size, step)


def _most(size: Size, rows: int) -> Size:
    return Size(min(size.rows, rows), size.width, share=size.share)
