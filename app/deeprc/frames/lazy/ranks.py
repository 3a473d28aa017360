"""Rows on their way: what a plan's step does on all ranks together; `outline` does the same without any rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from deeprc.core.errors import InputError
from deeprc.frames import shared, skew
from deeprc.frames.agreement import COLUMNS, describe
from deeprc.frames.communicator import Communicator
from deeprc.frames.lazy.deal import DEALT, EVERYWHERE, ONE, Deal, Size, hashed, is_little
from deeprc.frames.lazy.empty import empty
from deeprc.frames.lazy.piece import InReach, Piece
from deeprc.frames.lazy.several import Join
from deeprc.frames.lazy.step import Step, amount
from deeprc.frames.partition import hashed as hashed_rows
from deeprc.frames.partition import homes, range_homes
from deeprc.frames.partition import ranged as ranged_rows
from deeprc.frames.remote.location import sentence
from deeprc.frames.shuffle import shuffle

Arranged = tuple[pl.DataFrame, np.ndarray]

GATHER_BYTES = 4 * 2**30  # more rows than these are not brought to one rank
STREAMING, IN_MEMORY = "streaming", "in-memory"


class Ranks:
    """What the ranks do together."""

    real = True

    def __init__(self, comm: Communicator) -> None:
        self.comm, self.size = comm, comm.size
        self.suspects: list[Callable[[Exception], None]] = []  # each fails, by name, with a file that cannot be read

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
        """The rows, computed; from now on their size is known, and where they are few all of them are in reach."""
        return self.hold_all([piece], engine)[0]

    def hold_all(self, pieces: Sequence[Piece], engine: str = STREAMING) -> list[Piece]:
        """The same of several, in one agreement."""
        open_ = [piece for piece in pieces if piece.held is None or not piece.counted]
        counts, put = np.zeros((self.size, len(open_), 5), np.int64), {}
        held: list[pl.DataFrame] = []
        if open_:
            with self.comm.together(counts=(flat := counts.reshape(self.size, -1))) as same:
                for number, piece in enumerate(open_):
                    held.append(self.collected(piece.rows, engine) if piece.held is None else piece.held)
                    mine = counts[self.comm.rank, number]
                    mine[:2] = held[-1].height, held[-1].estimated_size()
                    if self.comm.shared and mine[0] and piece.deal.how != EVERYWHERE and is_little(Size(1, mine[1])):
                        put[number] = shared.put(held[-1])
                        self.comm.keep_open(put[number].file)
                        mine[2:] = put[number].place
                same[COLUMNS] = "; ".join(describe(each.schema) for each in held)
            counts = flat.reshape(counts.shape)
        known = {
            id(piece): self._counted(piece, held[number], counts[:, number], put.get(number))
            for number, piece in enumerate(open_)
        }
        return [known.get(id(piece), piece) for piece in pieces]

    def _counted(self, piece: Piece, held: pl.DataFrame, counts: np.ndarray, put: shared.Parts | None) -> Piece:
        everywhere = piece.deal.how == EVERYWHERE
        # Of copies, that of rank 0: what is chosen by a size is to be the same on all ranks.
        rows, total = (counts[0] if everywhere else counts.sum(axis=0))[:2].tolist()
        size = piece.size.counted(rows, total)
        piece.step.size = size
        reach = None
        if self.comm.shared and not everywhere and is_little(size):
            reach = InReach(held, shared.all_of(put, counts[:, 2:], held.schema, self.comm))
        return replace(piece, rows=held.lazy(), held=held, size=size, counted=True, in_reach=reach)

    def collected(self, rows: pl.LazyFrame, engine: str = STREAMING) -> pl.DataFrame:
        """What Polars makes of this rank's rows."""
        return collected(rows, engine, self.told)

    def told(self, error: Exception) -> Exception:
        """What Polars could not do; where it is a file that cannot be read, that is raised, with its name."""
        for look in self.suspects:
            look(error)
        return sentence(error)

    def computed(self, piece: Piece, schema: pl.Schema, engine: str = STREAMING) -> Piece:
        """The rows, computed without a word to the others: a failure is told in the next agreement."""
        if piece.held is not None:
            return piece
        held = self.comm.later(lambda: self.collected(piece.rows, engine), lambda: pl.DataFrame(schema=schema))
        return replace(piece, rows=held.lazy(), held=held, counted=self.size == 1)

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
        to = hashed_rows if borders is None else partial(ranged_rows, borders=borders)
        piece, frame = self._dealt_out(piece, lambda held: to(held, keys, self.comm))
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
        left, right = self.hold_all([left, right])
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
        frame = self.moved(piece, lambda: self._copied(piece))
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
        if is_little(piece.size):
            frame = self.moved(piece, lambda: self._gathered(piece))
        else:
            _, frame = self._dealt_out(piece, lambda held: (held, _at(np.zeros(self.size, np.int64), held.height)))
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

    def _dealt_out(self, piece: Piece, arranged: Callable[[pl.DataFrame], Arranged]) -> tuple[Piece, pl.DataFrame]:
        """The rows, and those that come to this rank when all ranks send theirs; one agreement for both."""
        if self.size == 1 or not self.real or (piece.held is not None and piece.counted):
            piece = self.hold(piece)
            none = piece.held.clear
            return piece, self.moved(piece, lambda: shuffle(lambda: arranged(piece.held), self.comm, None, none))
        counts, known = np.zeros((self.size, 2), np.int64), []

        def arrange() -> Arranged:
            held = self.collected(piece.rows) if piece.held is None else piece.held
            known.append(held)
            counts[self.comm.rank] = held.height, held.estimated_size()
            return arranged(held)

        frame = shuffle(arrange, self.comm, counts, lambda: known[0].clear())
        size = piece.size.counted(*counts.sum(axis=0).tolist())
        piece.step.size = size
        return replace(piece, rows=known[0].lazy(), held=known[0], size=size, counted=True), frame

    def _copied(self, piece: Piece) -> pl.DataFrame:
        held = piece.held
        if piece.everything is not None:
            return self.comm.later(piece.everything, held.clear)
        with self.comm.together():
            packed = _packed(held)
        everything = self.comm.allgather(packed)
        return self.comm.later(lambda: _unpacked(everything), held.clear)

    def _gathered(self, piece: Piece) -> pl.DataFrame:
        """All rows on rank 0; every rank takes part in the next agreement, which tells whether it could read them."""
        held, everything = piece.held, piece.everything
        if everything is None:
            with self.comm.together():
                packed = _packed(held)
            streams = self.comm.gather(packed)
            everything = partial(_unpacked, streams)
        return self.comm.later(held.clear if self.comm.rank else everything, held.clear)


def collected(rows: pl.LazyFrame, engine: str, told: Callable[[Exception], Exception]) -> pl.DataFrame:
    """What Polars makes of the rows; a step of one rank."""
    try:
        return rows.collect(engine=engine)
    except (OSError, pl.exceptions.ComputeError) as error:
        raise told(error) from error


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
