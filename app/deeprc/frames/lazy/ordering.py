"""How rows that memory has no room for are put in order: cut into parts by a sample, and each part sorted alone.

Rows that are equal in all keys keep their order: each has a number, over all ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from deeprc.frames.codes import Range, argsort, bits, encodable, encode, ranges, union
from deeprc.frames.communicator import Communicator
from deeprc.frames.rounds import order_of
from deeprc.frames.sort import cut
from deeprc.frames.words import comparable

NUMBER = "row number of these rows"  # or like it, where a column is called so
RANK_AT = 44  # the bit of a row's number where its rank begins


def numbers(first: int, count: int, rank: int) -> np.ndarray:
    """Numbers of rows of a rank: above those of the ranks before it."""
    return np.arange(first, first + count, dtype=np.int64) + (rank << RANK_AT)


class OrderByCodes:
    """By keys that are numbers together (see `codes`).

    Parameters
    ----------
    number
        The column of the rows' numbers.
    spans
        What the keys span, over all ranks.
    """

    def __init__(self, by: Sequence[str], falling: Sequence[bool], number: str, spans: Sequence[Range]) -> None:
        self.by, self.falling, self.number, self.spans = by, falling, number, spans

    def cut_by(self, sample: pl.DataFrame, count: int) -> None:
        """Choose where the parts begin, from some rows of all ranks."""
        codes, rows = self._codes(sample), sample[self.number].to_numpy()
        at = np.lexsort((rows, codes))[np.arange(1, count) * len(codes) // count] if len(codes) else []
        self.codes, self.rows = codes[at], rows[at]

    def place(self, rows: pl.DataFrame) -> np.ndarray:
        """The part of each row."""
        codes = self._codes(rows)
        place = np.searchsorted(self.codes, codes)
        # Those that have the key of a border: the number tells.
        tied = np.flatnonzero(codes == self.codes[np.minimum(place, len(self.codes) - 1)]) if len(self.codes) else []
        first, number = place[tied], rows[self.number].to_numpy()[tied]
        end = np.searchsorted(self.codes, codes[tied], side="right")
        passed = np.zeros(len(tied), np.int64)
        for at in range(int((end - first).max(initial=0))):
            border = np.minimum(first + at, len(self.rows) - 1)
            passed += (first + at < end) & (self.rows[border] <= number)
        place[tied] = first + passed
        return place

    def sorted(self, part: pl.DataFrame) -> pl.DataFrame:
        """A part in order; in the place of its rows' numbers are their ranks, whose rows are in order already."""
        first = _by_ranks(part[self.number])
        order, _ = argsort(self._codes(part)[first], bits(self.spans))
        return _gathered(part.drop(self.number), first[order])

    def _codes(self, rows: pl.DataFrame) -> np.ndarray:
        return encode([rows[name] for name in self.by], self.spans, self.falling)


class OrderByWords:
    """By any keys (see `words`)."""

    def __init__(self, by: Sequence[str], falling: Sequence[bool], number: str) -> None:
        self.by, self.falling, self.number = list(by), list(falling), number

    def cut_by(self, sample: pl.DataFrame, count: int) -> None:
        ordered = sample.sort([*self.by, self.number], descending=[*self.falling, False])
        self.borders, self.count = ordered[(np.arange(1, count) * ordered.height // count).astype(np.uint32)], count

    def place(self, rows: pl.DataFrame) -> np.ndarray:
        order = self._order(rows)  # the numbers ascend
        place = np.empty(rows.height, np.int64)
        by, falling = [*self.by, self.number], [*self.falling, False]
        place[order] = cut(_gathered(rows.select(by), order), self.borders, by, falling, self.count)
        return place

    def sorted(self, part: pl.DataFrame) -> pl.DataFrame:
        first = _by_ranks(part[self.number])
        part = _gathered(part.drop(self.number), first)
        return _gathered(part, self._order(part))

    def _order(self, rows: pl.DataFrame) -> np.ndarray:
        return order_of([comparable(rows[name]) for name in self.by], self.falling)


def _by_ranks(ranks: pl.Series) -> np.ndarray:
    few = not ranks.len() or ranks.max() < 2**16
    return np.argsort(ranks.to_numpy().astype(np.uint16 if few else np.uint32), kind="stable")


def _gathered(rows: pl.DataFrame, order: np.ndarray) -> pl.DataFrame:
    return rows.rechunk().select(pl.all().gather(pl.Series(order.astype(np.uint32))))


def order_by(
    by: Sequence[str],
    falling: Sequence[bool],
    batches: Iterable[pl.DataFrame],
    schema: pl.Schema,
    rate: float,
    count: int,
    number: str,
    comm: Communicator,
) -> OrderByCodes | OrderByWords:
    """The fastest order by these keys, cut into `count` parts.

    Parameters
    ----------
    batches
        The keys of this rank's rows, looked at once.
    rate
        What part of them is looked at to find where parts begin.
    number
        The column of the rows' numbers.
    """
    codable = all(encodable(schema[name]) for name in by)
    chance, before = np.random.default_rng(comm.rank), 0
    with comm.together():
        empty = pl.DataFrame(schema={name: schema[name] for name in by})
        mine = [ranges(empty.get_columns())] if codable else []
        samples = [empty.with_columns(pl.lit(0, pl.Int64).alias(number))]
        for batch in batches:
            if codable:
                mine.append(ranges([batch[name] for name in by]))
            chosen = np.flatnonzero(chance.random(batch.height) < rate)
            these = numbers(before, batch.height, comm.rank)[chosen]
            samples.append(batch[chosen.astype(np.uint32)].with_columns(pl.Series(number, these)))
            before += batch.height
        told = union(*mine) if codable else None, pl.concat(samples, rechunk=True)
    heard = comm.allgather(told)
    with comm.together():
        spans = union(*(spans for spans, _ in heard)) if codable else []
        by_codes = codable and bits(spans) <= 64
        order = OrderByCodes(by, falling, number, spans) if by_codes else OrderByWords(by, falling, number)
        order.cut_by(pl.concat([sample for _, sample in heard]), count)
    return order
