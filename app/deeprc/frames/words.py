"""Keys of any kind as words that sort as the keys do, of which the first bits are the code of a row.

A text is its bytes in words of eight, filled up with zeros, and last its length. Bits that are the same in all rows
are left out: of `id0000012345` four bits a digit remain. What two codes do not tell apart, later words may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from deeprc.frames.codes import FULL, Range, encodable, encode, ranges, union

NULLS, LENGTH = -1, 2**62  # where a column's first and last word stand; those between, by their first byte
CODE = 64  # bits
WORD = 8  # bytes
MOST_WORDS = 8  # of a text are looked at in one go
BLOCK = 2**15  # rows whose words stay in a processor's cache
LONG = 256  # bytes: of texts that are longer on average only those that are looked at are copied

Place = tuple[int, int]  # a column's number, and where a word stands in it
FIRST: Place = (0, NULLS)


@dataclass(frozen=True)
class Texts:
    """What a column of texts spans from a byte on.

    Parameters
    ----------
    nulls, values
        Whether there are any.
    words
        The bits that some values have, and those that all have, word by word.
    lengths
        The same of the lengths.
    ended
        Whether nothing is behind the words.
    """

    nulls: bool
    values: bool
    words: tuple[tuple[int, int], ...]
    lengths: tuple[int, int]
    ended: bool

    def word(self, number: int) -> tuple[int, int]:
        behind = (0, 0 if self.values else FULL)  # a text's end is followed by zeros
        return self.words[number] if number < len(self.words) else behind


Outline = Range | Texts


@dataclass(frozen=True)
class Bits:
    """Bits of a word that are part of the code; `span` is that of a column of numbers."""

    column: int
    at: int
    mask: int
    span: Range | None = None


@dataclass(frozen=True)
class Leading:
    """The parts of a code, and the first word that is not in it as a whole."""

    parts: tuple[Bits, ...]
    end: Place

    @property
    def bits(self) -> int:
        return sum(part.mask.bit_count() for part in self.parts)


def comparable(column: pl.Series) -> pl.Series:
    """A column as what it is ordered by."""
    if column.dtype == pl.Categorical:
        return column.cast(pl.String)
    return column.to_physical() if column.dtype == pl.Enum else column


def has_words(dtype: pl.DataType) -> bool:
    return encodable(dtype) or dtype in (pl.String, pl.Binary)


def outlined(columns: Sequence[pl.Series], start: Place = FIRST) -> list[Outline]:
    """What the columns span from a word on, as far as it takes to fill a code."""
    outlines: list[Outline] = []
    for column in columns[start[0] :]:
        if not has_words(column.dtype) or leading(outlines, start).bits == CODE:
            break
        at = NULLS if outlines else start[1]
        outlines.append(ranges([column])[0] if encodable(column.dtype) else _outline(column, max(at, 0)))
    return outlines


def united(outlines: Sequence[Sequence[Outline]]) -> list[Outline]:
    """What the columns of several frames span; one that looked at fewer of them had enough for a code already."""
    return [
        union(*([each] for each in column))[0] if isinstance(column[0], Range) else _united(column)
        for column in zip(*outlines, strict=False)
    ]


def leading(outlines: Sequence[Outline], start: Place = FIRST) -> Leading:
    """As many of the first bits as fit into a code, of the words from `start` on, without those all rows share."""
    parts: list[Bits] = []
    room = CODE
    for number, outline in enumerate(outlines, start[0]):
        from_ = start[1] if number == start[0] else NULLS
        for part in _parts(number, outline, from_):
            if (more := part.mask.bit_count() - room) > 0:
                mask = part.mask
                for _ in range(more):
                    mask &= mask - 1  # without its last bit
                return Leading((*parts, Bits(number, part.at, mask, part.span)), (number, part.at))
            parts.append(part)
            room -= part.mask.bit_count()
        if isinstance(outline, Texts) and not outline.ended:
            return Leading(tuple(parts), (number, max(from_, 0) + WORD * len(outline.words)))
    return Leading(tuple(parts), (start[0] + len(outlines), NULLS))


def coded(columns: Sequence[pl.Series], descending: Sequence[bool], which: Leading) -> np.ndarray:
    """The code (uint64) of each row; nulls come first, descending or not, as in Polars."""
    height = len(columns[0])
    codes = np.zeros(height, np.uint64)
    parts = [part for part in which.parts if part.mask]
    for first in range(0, height if parts else 0, BLOCK):
        block = codes[first : first + BLOCK]
        texts: dict[int, _Bytes] = {}
        for part in parts:
            column = columns[part.column].slice(first, BLOCK)
            falling = descending[part.column]
            if part.at == NULLS:
                bits = column.is_not_null().to_numpy().astype(np.uint64)
            elif part.span is not None:
                without_null = Range(part.span.low, part.span.high, False)
                bits = _squeezed(encode([column], [without_null], [falling]), part.mask)
            else:
                if part.column not in texts:
                    starts = [each.at for each in parts if each.column == part.column and 0 <= each.at < LENGTH]
                    texts[part.column] = _Bytes(column, min(starts, default=0))
                bits = _squeezed(texts[part.column].word(part.at), part.mask)
                if falling:
                    bits ^= np.uint64((1 << part.mask.bit_count()) - 1)
            block <<= np.uint64(part.mask.bit_count() % CODE)  # one of 64 bits is alone
            block |= bits
    return codes


class _Bytes:
    """Bytes of texts; nulls are empty."""

    def __init__(self, column: pl.Series, start: int) -> None:
        column, self.cut = column.cast(pl.Binary), 0
        if column.null_count():
            column = column.fill_null(b"")
        if long := column.estimated_size() > LONG * len(column):
            self.lengths = column.bin.size().to_numpy().astype(np.int64)
            column, self.cut = column.bin.slice(start, WORD * MOST_WORDS), start
        _, offsets, data = column.to_arrow().buffers()
        self.starts = np.frombuffer(offsets, np.int64, len(column) + 1)
        if not long:
            self.lengths = np.diff(self.starts)
        data = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
        data = np.concatenate([data, np.zeros(WORD, np.uint8)])
        self.words = np.ndarray(len(data) - WORD + 1, ">u8", data, 0, (1,))  # the one that begins with each byte

    def word(self, at: int) -> np.ndarray:
        if at == LENGTH:
            return self.lengths.astype(np.uint64)
        starts, left = self.starts[:-1] + (at - self.cut), self.lengths - at
        short = left.min() < WORD
        words = self.words[np.minimum(starts, len(self.words) - 1) if short else starts].astype(np.uint64)
        if not short:
            return words
        # The bytes of the next texts are shifted out; all eight in two steps, since a shift by 64 bits is none.
        half = (np.clip(WORD - left, 0, WORD) * (WORD // 2)).astype(np.uint64)
        return words >> half >> half << half << half


def _outline(column: pl.Series, start: int) -> Texts:
    nulls = column.null_count()
    column = column.drop_nulls()
    longest = column.cast(pl.Binary).bin.size().max() or 0
    behind = -(-max(longest - start, 0) // WORD)
    count = min(behind, MOST_WORDS)
    some, every = np.zeros(MOST_WORDS, np.uint64), np.full(MOST_WORDS, FULL, np.uint64)
    lengths = [0, FULL]
    for first in range(0, len(column), BLOCK):
        block = _Bytes(column.slice(first, BLOCK), start)
        for number in range(count):
            word = block.word(start + WORD * number)
            some[number] |= np.bitwise_or.reduce(word)
            every[number] &= np.bitwise_and.reduce(word)
        length = block.word(LENGTH)
        lengths = [lengths[0] | int(np.bitwise_or.reduce(length)), lengths[1] & int(np.bitwise_and.reduce(length))]
        filled = np.cumsum(np.bitwise_count(some[:count] & ~every[:count]).astype(np.int64))
        count = min(count, int(np.searchsorted(filled, CODE)) + 1)  # the other words have no room
    words = tuple(zip(some[:count].tolist(), every[:count].tolist(), strict=True))
    return Texts(nulls > 0, len(column) > 0, words, (lengths[0], lengths[1]), count == behind)


def _united(texts: Sequence[Texts]) -> Texts:
    unfinished = [len(each.words) for each in texts if not each.ended]
    count = min(unfinished) if unfinished else max(len(each.words) for each in texts)
    return Texts(
        any(each.nulls for each in texts),
        any(each.values for each in texts),
        tuple(_both([each.word(number) for each in texts]) for number in range(count)),
        _both([each.lengths for each in texts]),
        not unfinished,
    )


def _both(bits: Sequence[tuple[int, int]]) -> tuple[int, int]:
    some, every = 0, FULL
    for of_some, of_all in bits:
        some, every = some | of_some, every & of_all
    return some, every


def _parts(number: int, outline: Outline, start: int) -> Iterator[Bits]:
    if start == NULLS and outline.nulls:
        yield Bits(number, NULLS, 1)
    if isinstance(outline, Range):
        if outline.high > outline.low:
            yield Bits(number, 0, (1 << (outline.high - outline.low).bit_length()) - 1, outline)
        return
    words = [(max(start, 0) + WORD * place, word) for place, word in enumerate(outline.words)]
    for at, (some, every) in [*words, *([(LENGTH, outline.lengths)] if outline.ended else [])]:
        yield Bits(number, at, some & ~every)


def _squeezed(words: np.ndarray, mask: int) -> np.ndarray:
    """The bits of the mask, side by side."""
    made, kept = np.zeros(len(words), np.uint64), 0
    while mask:
        lowest = (mask & -mask).bit_length() - 1
        run = (~(mask >> lowest) & (mask >> lowest) + 1).bit_length() - 1  # so many bits in a row
        bits = (1 << run) - 1
        made |= ((words >> np.uint64(lowest)) & np.uint64(bits)) << np.uint64(kept)
        mask, kept = mask & ~(bits << lowest), kept + run
    return made
