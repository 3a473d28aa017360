"""The order of rows of one rank by keys of any kind: by their codes, and round by round by what these leave equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from deeprc.frames.codes import argsort
from deeprc.frames.words import CODE, Leading, coded, has_words, leading, outlined

FEW = 1000  # rows: Polars compares these faster
MOST_ROUNDS = 8


def order_of(columns: Sequence[pl.Series], descending: Sequence[bool]) -> np.ndarray:
    """The stable order of the rows of one rank by these keys, as those of `ordered`."""
    which = leading(outlined(columns))
    return ordered(columns, descending, coded(columns, descending, which), which)[0]


def ordered(
    columns: Sequence[pl.Series], descending: Sequence[bool], codes: np.ndarray, which: Leading
) -> tuple[np.ndarray, np.ndarray]:
    """The stable order of the rows, and their codes in order.

    Parameters
    ----------
    columns, descending
        The keys (see `words.comparable`), the first one counts most, and which of them fall.
    codes, which
        A code of each row, and what of the keys is in it.
    """
    order, in_order = argsort(codes, which.bits) if which.bits else (np.arange(len(codes), dtype=np.uint32), codes)
    end = which.end
    same = in_order[1:] == in_order[:-1]  # as the row before it, as far as is known
    for round_ in range(MOST_ROUNDS + 1):
        if end[0] == len(columns):
            break
        places, runs = _unsure(columns[end[0] :], order, same)
        if not len(places):
            break
        rows = order[places]
        keys = [column.gather(rows) for column in columns]
        if len(rows) <= FEW or round_ == MOST_ROUNDS or not has_words(columns[end[0]].dtype):
            order[places] = rows[_by_polars([pl.Series(runs), *keys[end[0] :]], [False, *descending[end[0] :]])]
            break
        more = leading(outlined(keys, end), end)
        next_codes = coded(keys, descending, more)
        within = _by_runs(runs, next_codes, more.bits)
        order[places], next_codes = rows[within], next_codes[within]
        same[:] = False
        again = (runs[1:] == runs[:-1]) & (next_codes[1:] == next_codes[:-1])
        same[places[:-1][again]] = True
        end = more.end
    return order, in_order


def _unsure(columns: Sequence[pl.Series], order: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of rows that may stand wrong among those that seem the same, and the number of the run of each."""
    pairs = np.flatnonzero(same)
    other = np.zeros(len(pairs), bool)
    for column in columns:
        if not has_words(column.dtype):
            other[:] = True
            break
        one, next_ = column.gather(order[pairs]), column.gather(order[pairs + 1])
        other |= one.ne_missing(next_).to_numpy()
    if not other.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    run = np.zeros(len(order), np.int64)
    np.cumsum(~same, out=run[1:])
    wrong = np.zeros(run[-1] + 1, bool)
    wrong[run[pairs[other]]] = True
    places = np.flatnonzero(wrong[run])
    return places, (np.cumsum(wrong) - 1)[run[places]]


def _by_runs(runs: np.ndarray, codes: np.ndarray, width: int) -> np.ndarray:
    """The stable order by run, and within it by code."""
    run_bits, numbers = int(runs[-1]).bit_length(), runs.astype(np.uint64)
    if width + run_bits <= CODE:
        return argsort(numbers << np.uint64(width % CODE) | codes, max(width + run_bits, 1))[0]
    order, _ = argsort(codes, width)
    return order[argsort(numbers[order], run_bits)[0]]


def _by_polars(keys: Sequence[pl.Series], descending: Sequence[bool]) -> np.ndarray:
    rows = pl.DataFrame([key.alias(str(number)) for number, key in enumerate(keys)])
    order = pl.arg_sort_by(rows.columns, descending=list(descending), maintain_order=True)
    return rows.select(order).to_series().to_numpy()
