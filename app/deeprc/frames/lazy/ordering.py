"""How rows that memory has no room for are put in order: cut into parts by a sample, and each part sorted alone.

Rows that are equal in all keys keep their order: each has a number, over all ranks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from deeprc.frames.codes import Range, argsort, bits, encodable, encode, ranges, union
from deeprc.frames.communicator import Communicator
from deeprc.frames.sort import cut

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
        """A part in order, without the numbers. Those of each rank ascend in it already."""
        first = np.argsort((part[self.number].to_numpy() >> RANK_AT).astype(np.uint16), kind="stable")
        order, _ = argsort(self._codes(part)[first], bits(self.spans))
        return part.drop(self.number).rechunk().select(pl.all().gather(pl.Series(first[order].astype(np.uint32))))

    def _codes(self, rows: pl.DataFrame) -> np.ndarray:
        return encode([rows[name] for name in self.by], self.spans, self.falling)


class OrderByPolars:
    """By any keys, as Polars compares them."""

    def __init__(self, by: Sequence[str], falling: Sequence[bool], number: str) -> None:
        self.by, self.number = [*by, number], number
        self.options = {"by": self.by, "descending": [*falling, False]}

    def cut_by(self, sample: pl.DataFrame, count: int) -> None:
        ordered = sample.sort(**self.options)
        self.borders, self.count = ordered[(np.arange(1, count) * ordered.height // count).astype(np.uint32)], count

    def place(self, rows: pl.DataFrame) -> np.ndarray:
        order = rows.select(self.by).with_row_index("at").sort(**self.options)
        place = np.empty(rows.height, np.int64)
        falling = self.options["descending"]
        place[order["at"].to_numpy()] = cut(order.drop("at"), self.borders, self.by, falling, self.count)
        return place

    def sorted(self, part: pl.DataFrame) -> pl.DataFrame:
        return part.sort(**self.options).drop(self.number)


def order_by(
    by: Sequence[str],
    falling: Sequence[bool],
    batches: Iterable[pl.DataFrame],
    schema: pl.Schema,
    rate: float,
    count: int,
    number: str,
    comm: Communicator,
) -> OrderByCodes | OrderByPolars:
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
        order = OrderByCodes(by, falling, number, spans) if by_codes else OrderByPolars(by, falling, number)
        order.cut_by(pl.concat([sample for _, sample in heard]), count)
    return order
