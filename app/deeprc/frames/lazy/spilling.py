"""What the ranks do together when the rows have no room in memory: in batches, by way of files on the node.

Rows that come from an exchange are put into buckets by their keys; what is made of whole keys is made bucket by bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames.communicator import Communicator
from deeprc.frames.lazy.deal import EVERYWHERE, HASHED, Deal, Size, hashed
from deeprc.frames.lazy.ordering import NUMBER, RANK_AT, numbers, order_by
from deeprc.frames.lazy.piece import Parted, Piece
from deeprc.frames.lazy.ranks import STREAMING, Ranks
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.step import Step, amount
from deeprc.frames.lazy.store import RowStore
from deeprc.frames.names import free
from deeprc.frames.partition import homes, range_homes, reorder, row_hash
from deeprc.frames.shuffle import shuffle

IN_MEMORY_PART = 1 / 8  # of the budget: pieces up to here are held as they are
ON_ONE = 1 / 2  # of the budget: so much may come to one rank
BATCH = 1 / 8  # of the budget is computed, sent and received at a time
LEAST_BATCH = 1000  # rows
BUCKET = 1 / 8  # of the budget, at most, has a bucket
MOST_BUCKETS = 1024
SAMPLED = 64  # rows for each bucket, by which a sort is cut
OF_BUCKET = "bucket of these rows"

Placed = Callable[[pl.DataFrame], tuple[np.ndarray, np.ndarray]]  # the rank, and the bucket there, of each row


class Spilling(Ranks):
    """The ranks, with a budget.

    Parameters
    ----------
    budget
        Bytes that a rank may use for rows.
    store
        Where the others go.
    total
        Bytes of all rows that are read, about.
    """

    def __init__(self, comm: Communicator, budget: int, store: RowStore, total: float) -> None:
        super().__init__(comm)
        self.budget, self.store = budget, store
        wanted = total / self.size / (budget * BUCKET)
        self.buckets = int(min(max(2 ** np.ceil(np.log2(max(wanted, 1))), 2), MOST_BUCKETS))

    def spills(self, size: Size) -> bool:
        return size.bytes / self.size > self.budget * IN_MEMORY_PART

    def fits(self, size: Size) -> bool:
        return size.bytes <= self.budget * IN_MEMORY_PART

    def hold_all(self, pieces: Sequence[Piece], engine: str = STREAMING) -> list[Piece]:
        return [self._hold(piece, engine) for piece in pieces]

    def computed(self, piece: Piece, schema: pl.Schema, engine: str = STREAMING) -> Piece:
        return self.hold(piece, engine)

    def _hold(self, piece: Piece, engine: str) -> Piece:
        if piece.held is not None or (not piece.parts and not self.spills(piece.size)):
            return super().hold_all([piece], engine)[0]
        if piece.deal.how == EVERYWHERE:
            return super().hold_all([piece], engine)[0]
        counts = np.zeros((self.size, 2), np.int64)
        with self.comm.together(counts=counts):
            held = self._kept(self._batches(piece, engine), piece.schema)
            counts[self.comm.rank] = held.height, held.estimated_size()
        size = piece.size.counted(*counts.sum(axis=0).tolist())
        piece.step.size = size
        return replace(piece, rows=held.lazy(), held=held, size=size)

    def by_hash(
        self,
        piece: Piece,
        keys: Sequence[str],
        why: str,
        borders: tuple[int, ...] | None = None,
        *,
        before: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None,
        ordered: bool = True,
    ) -> Piece:
        if before is None and not piece.parts and not self.spills(piece.size):
            return super().by_hash(piece, keys, why, borders)

        def placed(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
            to = homes(rows, keys, self.comm) if borders is None else range_homes(rows, keys, borders)
            return to, self._bucket(rows, keys)

        found = self._dealt(piece, placed, before=before, ordered=ordered)
        ranges = "" if borders is None else "the range of "
        title = f"EXCHANGE by {ranges}{', '.join(keys)}, {self.buckets} files ({why})"
        step = Step(title, [piece.step], found.size, self.sent(found, 1))
        return replace(found, deal=hashed(keys, borders), step=step)

    def one(self, piece: Piece, why: str, *, small: bool = False) -> Piece:
        if not small and piece.size.bytes > self.budget * ON_ONE:
            piece = self.hold(piece)  # it may be less than was thought
        if not small and piece.size.bytes > self.budget * ON_ONE:
            raise InputError(
                f"{why}: all rows would have to be on one rank",
                found=f"{amount(piece.size.bytes)} needed, {amount(self.budget * ON_ONE)} available",
                fix="group by a key, filter or aggregate before, or give the ranks more memory (memory=)",
            )
        return super().one(piece, why, small=small)

    def split(self, left: Piece, right: Piece, node: Join, *at: list[int] | None) -> tuple[Piece, Piece] | None:
        if self.spills(left.size) or self.spills(right.size):
            return None  # a heavy key's rows are on the disk: they take long, but no memory
        return super().split(left, right, node, *at)

    def in_parts(self, node: Join, left: Piece, right: Piece) -> tuple[Piece, Piece]:
        """The sides of a join, which lie where they can be joined: in buckets, where they are too large for memory."""
        if node.how == "cross" or EVERYWHERE in (left.deal.how, right.deal.how):
            return left, right
        if not (left.parts or right.parts or self.spills(left.size) or self.spills(right.size)):
            return left, right
        at = left.deal.places(node.left_on)
        if at != right.deal.places(node.right_on) or (at is None and self.size > 1):
            return replace(left, parted=None), replace(right, parted=None)
        if at is not None and left.parts and right.parts:
            return left, right
        # By the keys that they are dealt by: rows that are equal in these are in one part, as they are on one rank.
        sides = zip((left, right), (node.left_on, node.right_on), strict=True)
        return tuple(
            self._parted(piece, list(on) if at is None else [on[place] for place in at]) for piece, on in sides
        )

    def ordered(self, piece: Piece, by: Sequence[str], falling: Sequence[bool]) -> pl.DataFrame | None:
        """The rows of all ranks in order, by way of buckets that are ranges; None where they have room."""
        if not self.spills(piece.size):
            return None
        keys = replace(piece, rows=piece.rows.select(by), held=None if piece.held is None else piece.held.select(by))
        batches = self._batches(keys, STREAMING)
        rows = piece.size.rows / self.size if piece.held is None else piece.held.height
        rate = min(SAMPLED * self.buckets / max(rows, 1), 1)
        count, number = self.size * self.buckets, free(piece.schema, NUMBER)
        order = order_by(by, falling, batches, piece.schema, rate, count, number, self.comm)

        def placed(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
            place = order.place(rows)
            return place // self.buckets, place % self.buckets

        found = self._dealt(piece, placed, ordered=True, restore=False)
        with self.comm.together():
            return self._kept((order.sorted(self.collected(part, "in-memory")) for part in found.parts), piece.schema)

    def _parted(self, piece: Piece, keys: Sequence[str]) -> Piece:
        found = self._dealt(
            piece,
            lambda rows: (np.full(rows.height, self.comm.rank), self._bucket(rows, keys)),
            ordered=False,
            here=True,
        )
        return replace(found, deal=piece.deal if piece.deal.how == HASHED else hashed(keys))

    def _bucket(self, rows: pl.DataFrame, keys: Sequence[str]) -> np.ndarray:
        return (row_hash(rows, keys) & np.uint64(self.buckets - 1)).astype(np.int64)

    def _dealt(
        self,
        piece: Piece,
        placed: Placed,
        *,
        before: Callable[[pl.LazyFrame], pl.LazyFrame] | None = None,
        ordered: bool,
        restore: bool = True,
        here: bool = False,
    ) -> Piece:
        """The rows where `placed` says, bucket by bucket.

        Parameters
        ----------
        before
            What is done to each batch before it is sent.
        ordered, restore
            Whether the rows get their number over all ranks, and are put in that order in each bucket. Without
            the second they have their first rank in its place, and those of each rank are in order.
        here
            Whether no row leaves its rank.
        """
        empty = (piece.rows.clear() if before is None else before(piece.rows.clear())).collect()
        number, in_bucket = free(empty.columns, NUMBER), free(empty.columns, OF_BUCKET)
        batches, numbered = self._batches(piece, STREAMING), 0
        waiting, size, kept, total = [], 0, [], np.zeros(2, np.int64)
        while True:
            counts = np.zeros((self.size, 1), np.int64)
            with self.comm.together(counts=counts):
                batch = next(batches, None)
                counts[self.comm.rank] = batch is not None
                rows = empty if batch is None else batch if before is None else self.collected(before(batch.lazy()))
                if ordered:
                    rows = rows.with_columns(
                        pl.Series(number, numbers(numbered, rows.height, self.comm.rank), pl.Int64)
                    )
                    numbered += rows.height
            if not counts.any():
                break
            if not here:
                rank_of = None if restore or not ordered else number
                rows = shuffle(lambda rows=rows, of=rank_of: self._arranged(rows, placed, in_bucket, of), self.comm)
            with self.comm.together():
                arrived = rows.with_columns(_small(in_bucket, placed(rows)[1])) if here else rows
                waiting.append(arrived)
                size += arrived.estimated_size()
                total += arrived.height, arrived.estimated_size()
                if size > self.budget * IN_MEMORY_PART:
                    kept.append(self._bucketed(waiting, in_bucket))
                    waiting, size = [], 0
        with self.comm.together():
            if waiting:
                kept.append(self._bucketed(waiting, in_bucket))
        parts = []
        for bucket in range(self.buckets):
            frames = [frame.slice(ends[bucket], ends[bucket + 1] - ends[bucket]) for frame, ends in kept]
            part = (pl.concat(frames) if frames else rows.clear()).lazy()
            parts.append(part.sort(number).drop(number) if ordered and restore else part)
        made = pl.concat(parts)
        counted = self.comm.allreduce(total.astype(np.float64)).tolist()
        size_ = piece.size.counted(counted[0], counted[1])
        return replace(
            piece, rows=made, held=None, size=size_, ordered=False, parted=Parted(made, tuple(parts)), deal=Deal()
        )

    def _arranged(
        self, rows: pl.DataFrame, placed: Placed, in_bucket: str, number: str | None
    ) -> tuple[pl.DataFrame, np.ndarray]:
        """The rows as they are sent: each rank's in the order of their buckets, so that its next gather is a quick one.

        `number`: a column of the rows' numbers, of which the rank is kept: the others' order is that of arrival.
        """
        to, bucket = placed(rows)
        more = [_small(in_bucket, bucket)]
        if number is not None:
            more.append(pl.Series(number, rows[number].to_numpy() >> RANK_AT, pl.UInt32))
        rows = rows.with_columns(more)
        to, places = to.astype(np.int64), self.size * self.buckets
        order = (to * self.buckets + bucket).astype(np.uint16 if places <= 2**16 else np.uint32)
        return reorder(rows.rechunk(), order), np.bincount(to, minlength=self.size)

    def _bucketed(self, frames: Sequence[pl.DataFrame], in_bucket: str) -> tuple[pl.DataFrame, np.ndarray]:
        """The rows by their buckets, on the disk, and where each bucket begins."""
        rows = pl.concat(frames, rechunk=True)  # a gather from many chunks takes much longer
        bucket = rows[in_bucket].to_numpy().astype(np.uint16)
        rows = self.store.keep(reorder(rows.drop(in_bucket), bucket))
        return rows, np.append(0, np.cumsum(np.bincount(bucket, minlength=self.buckets))).astype(int)

    def _batches(self, piece: Piece, engine: str) -> Iterator[pl.DataFrame]:
        most = self._most(piece.size)
        if piece.held is not None:
            yield from piece.held.iter_slices(most)
            return
        for rows in piece.parts or (piece.rows,):
            if engine == STREAMING:
                try:
                    yield from rows.collect_batches(chunk_size=most, engine=STREAMING, lazy=True)
                except (OSError, pl.exceptions.ComputeError) as error:
                    raise self.told(error) from error
            else:
                yield self.collected(rows, engine)

    def _most(self, size: Size) -> int:
        """Rows of a batch."""
        return max(int(self.budget * BATCH / max(size.width, 1)), LEAST_BATCH)

    def _kept(self, batches: Iterable[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
        """All rows, on the disk where they are many."""
        kept, waiting, size = [], [], 0
        for batch in batches:
            waiting.append(batch)
            size += batch.estimated_size()
            if size > self.budget * IN_MEMORY_PART:
                kept.append(self.store.keep(pl.concat(waiting)))
                waiting, size = [], 0
        if waiting:
            last = pl.concat(waiting)
            kept.append(self.store.keep(last) if kept else last)
        return pl.concat(kept) if kept else pl.DataFrame(schema=schema)


def _small(name: str, buckets: np.ndarray) -> pl.Series:
    return pl.Series(name, buckets.astype(np.uint16))  # of MOST_BUCKETS
