"""Whole numbers beyond 64 bits, one per row, as columns of limbs: number = Σ limb[i] 2^(32 i)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

LIMB = np.uint64(32)
MASK = np.uint64(2**32 - 1)
LIMBS = 8  # 256 bits; what is beyond is left out, as a two's complement does
SURE = 2.0**-90  # more than the error, in parts of the quotient, of what `quotients` does in pairs of floats

Limbs = list[np.ndarray]  # int64, lowest first; `carried`, all but the last are in [0, 2^32)


def limbs(column: pl.Series) -> Limbs:
    """Those of a column of Int128 without nulls, below 10^38 in magnitude."""
    digits = column.cast(pl.Decimal(38, 0)).to_arrow()  # 16 bytes per number, as they are
    halves = np.frombuffer(digits.buffers()[1], np.int64).reshape(-1, 2)[digits.offset :][: len(digits)]
    low, high = halves[:, 0], halves[:, 1]
    return [low & 0xFFFFFFFF, (low >> 32) & 0xFFFFFFFF, high & 0xFFFFFFFF, high >> 32]


def shifted(number: Limbs, by: int) -> Limbs:
    """The numbers times 2^by."""
    whole, rest = divmod(by, 32)
    up = [limb << rest for limb in number]
    result = [np.zeros_like(number[0]) for _ in range(whole)] + [piece & 0xFFFFFFFF for piece in up[:-1]] + [up[-1]]
    for index, piece in enumerate(up[:-1], start=whole + 1):
        result[index] = result[index] + (piece >> 32)
    return result


def added(*numbers: Limbs) -> Limbs:
    """The sums, not carried; the last limbs of shorter numbers may be negative."""
    longest = max(map(len, numbers))
    return [sum(number[index] for number in numbers if index < len(number)) for index in range(longest)]


def carried(number: Limbs, length: int = LIMBS) -> Limbs:
    """The same numbers with limbs below 2^32, but for the last one."""
    result, carry = [], np.zeros_like(number[0])
    for index in range(length):
        limb = (number[index] if index < len(number) else 0) + carry
        carry = limb >> 32
        result.append(limb & 0xFFFFFFFF if index < length - 1 else limb)
    return result


def absolute(number: Limbs) -> Limbs:
    """Their magnitudes; carried."""
    sign = np.where(number[-1] < 0, -1, 1)
    return carried([limb * sign for limb in number], len(number))


def square(number: Limbs) -> Limbs:
    """The squares of magnitudes."""
    result = [np.zeros_like(number[0]) for _ in range(2 * len(number))]
    for i, a in enumerate(number):
        for j, b in enumerate(number[: i + 1]):
            product = a.view(np.uint64) * b.view(np.uint64)
            times = 1 if i == j else 2
            result[i + j] += (product & MASK).view(np.int64) * times
            result[i + j + 1] += (product >> LIMB).view(np.int64) * times
    return result


def quotients(above: Limbs, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """above / below, rounded to the nearest float, and whether it is sure to be that.

    Parameters
    ----------
    above
        Carried, none negative.
    below
        Whole numbers as Float64, from 1 to 2^53.
    """
    high, low = np.zeros(len(below)), np.zeros(len(below))
    for index in reversed(range(len(above))):  # a pair of floats: 106 bits
        limb = above[index] * 2.0 ** (32 * index)
        total = high + limb
        part = total - high
        low += (high - (total - part)) + (limb - part)
        high = total
    quotient = high / below
    a, b = _halves(quotient), _halves(below)
    product = quotient * below
    error = ((a[0] * b[0] - product) + a[0] * b[1] + a[1] * b[0]) + a[1] * b[1]
    rest = (((high - product) - error) + low) / below
    margin = quotient * SURE
    return quotient + rest, quotient + (rest - margin) == quotient + (rest + margin)


def _halves(values: np.ndarray) -> Sequence[np.ndarray]:
    """Two floats of 26 bits each (Dekker)."""
    scaled = values * (2.0**27 + 1)
    high = scaled - (scaled - values)
    return high, values - high
