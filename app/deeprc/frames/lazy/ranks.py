"""Rows on their way: what a plan's step does on all ranks together; and the same without any rows, to be told of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames import skew
from deeprc.frames.communicator import Communicator
from deeprc.frames.lazy.deal import DEALT, EVERYWHERE, ONE, Deal, Size, hashed, is_little
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.step import Step, amount
from deeprc.frames.partition import hashed as hashed_rows
from deeprc.frames.partition import homes, range_homes
from deeprc.frames.partition import ranged as ranged_rows
from deeprc.frames.remote.location import sentence
from deeprc.frames.shuffle import shuffle

GATHER_BYTES = 4 * 2**30  # more rows than these are not brought to one rank
STREAMING, IN_MEMORY = "streaming", "in-memory"


class Ranks:
    """What the ranks do together."""

    real = True

    def __init__(self, comm: Communicator) -> None:
        self.comm, self.size = comm, comm.size

    def spills(self, size: Size) -> bool:
        """Whether so many rows have no room in memory."""
        return False

    def fits(self, size: Size) -> bool:
        """Whether every rank has room for so many rows."""
        return True

    def in_parts(self, node: Join, left: Piece, right: Piece) -> tuple[Piece, Piece]:
        """The sides of a join, in parts where they have no room."""
        return left, right

    def ordered(self, piece: Piece, by: Sequence[str], falling: Sequence[bool]) -> pl.DataFrame | None:
        """This rank's share of the rows of all ranks in order; None where they have room in memory."""
        return None

    def hold(self, piece: Piece, engine: str = STREAMING) -> Piece:
        """The rows, computed; from now on their size is known."""
        if piece.held is not None:
            return piece
        counts = np.zeros((self.size, 2), np.int64)
        with self.comm.together(counts=counts):
            held = collected(piece.rows, engine)
            counts[self.comm.rank] = held.height, held.estimated_size()
        rows, total = (counts[self.comm.rank] if piece.deal.how == EVERYWHERE else counts.sum(axis=0)).tolist()
        size = piece.size.counted(rows, total)
        piece.step.size = size
        return replace(piece, rows=held.lazy(), held=held, size=size)

    def measured(self, held: pl.DataFrame) -> Size:
        """Of the rows of all ranks."""
        rows, total = self.comm.allreduce(np.array([held.height, held.estimated_size()], np.float64)).tolist()
        return Size(rows, 1).counted(rows, total)

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
        """Rows with the same keys on the same rank: that of their hash, or of their range between `borders`.

        Parameters
        ----------
        before
            What is done to rows that have no room in memory (see `spills`), batch by batch, before they are sent.
        ordered
            Whether it matters to what comes next in which order the rows of a key are.
        """
        piece = self.hold(piece)
        to = hashed_rows if borders is None else partial(ranged_rows, borders=borders)
        frame = self.moved(piece, lambda: shuffle(lambda: to(piece.held, keys, self.comm), self.comm))
        ranges = "" if borders is None else "the range of "
        step = Step(f"EXCHANGE by {ranges}{', '.join(keys)} ({why})", [piece.step], piece.size, self.sent(piece, 1))
        return Piece(frame.lazy(), hashed(keys, borders), piece.size, step, False, frame)

    def split(
        self, left: Piece, right: Piece, node: Join, at_left: list[int] | None = None, at_right: list[int] | None = None
    ) -> tuple[Piece, Piece] | None:
        """The sides of a join whose keys many rows share, ready to be joined; None where no key is so heavy.

        Parameters
        ----------
        at_left, at_right
            Of a side that is dealt by some of its keys already: which ones. It stays where it is.
        """
        if self.size == 1:
            return None
        left, right = self.hold(left), self.hold(right)
        if left.size.rows + right.size.rows < skew.MANY:
            return None
        stays = at_right is None or (at_left is not None and left.size.bytes >= right.size.bytes)
        home, by = (left.deal, at_left) if stays else (right.deal, at_right)
        sides = []
        for piece, keys, ours in ((left, node.left_on, stays), (right, node.right_on, not stays)):
            if by is None:
                place = partial(homes, piece.held, keys, self.comm)
            elif ours:
                place = partial(np.full, piece.held.height, self.comm.rank)
            elif home.borders is None:
                place = partial(homes, piece.held, [keys[at] for at in by], self.comm)
            else:
                place = partial(range_homes, piece.held, [keys[at] for at in by], home.borders)
            sides.append(skew.Side(piece.held, list(keys), place, piece is left or node.how not in ("semi", "anti")))
        nulls_equal = bool(node.options.get("nulls_equal"))
        found = skew.heavy(sides, nulls_equal, self.comm)
        if found is None:
            return None
        made = []
        for piece, frame in zip((left, right), skew.split(sides, found, node.how, nulls_equal, self.comm), strict=True):
            title = "EXCHANGE by keys, those of many rows on all ranks (a side of a join)"
            step = Step(title, [piece.step], piece.size, self.sent(piece, 1))
            made.append(Piece(frame.lazy(), Deal(), piece.size, step, False, frame))
        return made[0], made[1]

    def everywhere(self, piece: Piece, why: str) -> Piece:
        """All rows on every rank, in their order."""
        if piece.deal.how == EVERYWHERE:
            return piece
        piece = self.hold(piece)
        frame = self.moved(piece, lambda: self._copied(piece.held))
        step = Step(f"EXCHANGE to every rank ({why})", [piece.step], piece.size, self.sent(piece, self.size))
        return Piece(frame.lazy(), Deal(EVERYWHERE), piece.size, step, piece.ordered, frame)

    def one(self, piece: Piece, why: str, *, small: bool = False) -> Piece:
        """All rows on rank 0, in their order."""
        if piece.deal.how == ONE:
            return piece
        if piece.deal.how == EVERYWHERE:
            return replace(self.spread(piece), deal=Deal(ONE))
        piece = self.hold(piece)
        if piece.size.bytes > GATHER_BYTES and not small and self.real:
            raise too_large(piece, why)
        counts = np.zeros(self.size, np.int64)
        if is_little(piece.size):
            frame = self.moved(piece, lambda: self._gathered(piece.held))
        else:
            frame = self.moved(piece, lambda: shuffle(lambda: (piece.held, _at(counts, piece.held.height)), self.comm))
        step = Step(f"EXCHANGE to rank 0 ({why})", [piece.step], piece.size, self.sent(piece, 1))
        return Piece(frame.lazy(), Deal(ONE), piece.size, step, piece.ordered, frame)

    def spread(self, piece: Piece) -> Piece:
        """Rows that are everywhere: those of rank 0 alone. No other deal of copies is sure to have every row once."""
        if piece.deal.how != EVERYWHERE:
            return piece
        if self.comm.rank == 0:
            return replace(piece, deal=Deal(DEALT))
        held = None if piece.held is None else piece.held.clear()
        return replace(piece, deal=Deal(DEALT), rows=empty(piece.schema), held=held)

    def moved(self, piece: Piece, exchange: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """What an exchange gives; nothing moves in a world of one."""
        return piece.held if self.size == 1 else exchange()

    def sent(self, piece: Piece, copies: int) -> float:
        """Bytes that leave their rank, when every row goes to so many ranks."""
        return piece.size.bytes * ((self.size - 1) / self.size if copies == 1 else self.size - 1)

    def before(self, count: int) -> int:
        """The sum of the counts of the ranks before this one."""
        return int(self.comm.exscan(count))

    def total(self, count: int) -> int:
        return int(self.comm.allreduce(count))

    def _copied(self, held: pl.DataFrame) -> pl.DataFrame:
        with self.comm.together():
            packed = _packed(held)
        everything = self.comm.allgather(packed)
        with self.comm.together():
            return _unpacked(everything)

    def _gathered(self, held: pl.DataFrame) -> pl.DataFrame:
        with self.comm.together():
            packed = _packed(held)
        everything = self.comm.gather(packed)
        with self.comm.together():
            return held.clear() if everything is None else _unpacked(everything)


class Outline(Ranks):
    """The same steps without any rows: only their sizes, estimated."""

    real = False

    def hold(self, piece: Piece, engine: str = STREAMING) -> Piece:
        return piece if piece.held is not None else replace(piece, held=pl.DataFrame(schema=piece.schema))

    def moved(self, piece: Piece, exchange: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        return piece.held

    def split(self, left: Piece, right: Piece, node: Join, *at: list[int] | None) -> tuple[Piece, Piece] | None:
        return None

    def before(self, count: int) -> int:
        return 0

    def total(self, count: int) -> int:
        return count


def collected(rows: pl.LazyFrame, engine: str = STREAMING) -> pl.DataFrame:
    """What Polars makes of the rows; a step of one rank."""
    try:
        return rows.collect(engine=engine)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise sentence(error) from error


def _packed(held: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    held.write_ipc_stream(stream)
    return stream.getvalue()


def _unpacked(streams: Sequence[bytes]) -> pl.DataFrame:
    return pl.concat([pl.read_ipc_stream(io.BytesIO(each)) for each in streams])


def too_large(piece: Piece, why: str) -> InputError:
    return InputError(
        f"{why}: all rows would have to be on one rank",
        found=f"{amount(piece.size.bytes)} in {piece.size.rows:.0f} rows",
        expected=f"at most {amount(GATHER_BYTES)}",
        fix="group by a key, or filter or aggregate before",
    )


def _at(counts: np.ndarray, rows: int) -> np.ndarray:
    counts[0] = rows
    return counts
