"""Codes of texts, and of all that has more bits than a code, give Polars' order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.frames import rounds, words
from deeprc.frames.codes import bits, ranges
from deeprc.frames.rounds import ordered
from deeprc.frames.words import LENGTH, coded, comparable, leading, outlined, united

STEMS = st.sampled_from(["", "id", "id00", "https://example.org/a/rather/long/path/", "x" * 70])
TEXTS = st.builds(lambda stem, rest: stem + rest, STEMS, st.text("ab\0é", max_size=12) | st.text(max_size=40))
KINDS = {
    "text": (pl.String(), TEXTS),
    "bytes": (pl.Binary(), st.binary(max_size=20) | TEXTS.map(str.encode)),
    "category": (pl.Categorical(), st.sampled_from(["b", "a", "ab", "b" * 20])),
    "level": (pl.Enum(["low", "high", "all"]), st.sampled_from(["low", "high", "all"])),
    "int64": (pl.Int64(), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 1)),
    "float64": (pl.Float64(), st.floats() | st.sampled_from([0.0, -0.0, float("nan")])),
    "list": (pl.List(pl.Int8()), st.lists(st.integers(0, 2), max_size=2)),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[pl.DataFrame, list[bool], list[int]]:
    """Keys, which of them fall, and where the shares of ranks begin; values repeat."""
    height = draw(st.sampled_from([0, 1, 8, 40]))
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=3))
    random = draw(st.randoms(use_true_random=False))
    columns = []
    for number, kind in enumerate(kinds):
        dtype, values = KINDS[kind]
        few = draw(st.lists(st.none() | values, min_size=1, max_size=12))
        columns.append(pl.Series(str(number), random.choices(few, k=height), dtype))
    falling = draw(st.lists(st.booleans(), min_size=len(kinds), max_size=len(kinds)))
    cuts = sorted(draw(st.lists(st.integers(0, height), max_size=2)))
    return pl.DataFrame(columns), falling, [0, *cuts, height]


@given(
    tables(),
    st.sampled_from([1, 2, 8]),
    st.sampled_from([0, 256]),
    st.sampled_from([0, 1, 8]),
    st.sampled_from([0, 10]),
)
def test_rows_are_in_the_order_of_polars(table, most_words, long, most_rounds, few) -> None:
    rows, falling, cuts = table
    keys = [comparable(column) for column in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "BLOCK", 7)
        patch.setattr(words, "MOST_WORDS", most_words)
        patch.setattr(words, "LONG", long)
        patch.setattr(rounds, "MOST_ROUNDS", most_rounds)
        patch.setattr(rounds, "FEW", few)
        shares = [[key[start:end] for key in keys] for start, end in pairwise(cuts)]
        which = leading(united([outlined(share) for share in shares]))  # as the ranks agree upon it
        codes = np.concatenate([coded(share, falling, which) for share in shares])
        order, in_order = ordered(keys, falling, codes, which)
    expected = rows.with_row_index("at").sort(rows.columns, descending=falling, maintain_order=True)["at"]
    assert order.tolist() == expected.to_list()
    assert (in_order[1:] >= in_order[:-1]).all() and which.bits <= 64


def test_bits_that_all_rows_have_are_left_out() -> None:
    keys = [pl.Series([f"id{number:010}" for number in range(3000)])]
    which = leading(outlined(keys))
    assert which.bits == 2 + 3 * 4 and which.end == (1, -1)  # four digits, of which the first is 0, 1 or 2
    assert coded(keys, [False], which).tolist() == [int(f"{number}", 16) for number in range(3000)]
    assert leading(outlined([pl.Series(["same", None])])).bits == 1
    assert leading(outlined([pl.Series([], dtype=pl.String)])).bits == 0


def test_a_code_ends_amid_a_word() -> None:
    texts = pl.Series([chr(0) * 12, chr(127) * 12])
    which = leading(outlined([texts]))
    assert [part.mask.bit_count() for part in which.parts] == [56, 8]
    assert which.end == (0, 8)
    assert leading(outlined([texts], which.end), which.end).parts[-1].at == LENGTH


def test_numbers_of_more_bits_than_a_code_have_one_of_their_first() -> None:
    keys = [pl.Series([None, 2**63 - 1, -(2**63), 0]), pl.Series([3, 2, 1, 0])]
    assert bits(ranges(keys)) > 64
    which = leading(outlined(keys))
    assert (which.bits, which.end) == (64, (0, 0))
    assert ordered(keys, [True, False], coded(keys, [True, False], which), which)[0].tolist() == [0, 1, 3, 2]


@pytest.mark.parametrize("text", ["id{:010}", "https://example.org/of/some/length/{:06}/and/what/follows"])
def test_texts_that_words_tell_apart_are_not_compared(monkeypatch, text: str) -> None:
    monkeypatch.setattr(rounds, "_by_polars", lambda *_: pytest.fail("compared"))
    numbers = np.random.default_rng(0).integers(0, 20_000, 30_000)  # with repetitions
    keys = [pl.Series([text.format(number) for number in numbers])]
    which = leading(outlined(keys))
    order, _ = ordered(keys, [False], coded(keys, [False], which), which)
    assert (order == np.argsort(numbers, kind="stable")).all()
