"""The order of codes, by whichever sort is the faster one on this machine."""

from __future__ import annotations

import numpy as np
import pytest

from deeprc.frames import codes


@pytest.mark.parametrize("by_polars", [True, False])
@pytest.mark.parametrize("width", [20, 60, 64])
def test_both_sorts_give_the_same_stable_order(monkeypatch, by_polars: bool, width: int) -> None:
    monkeypatch.setattr(codes, "_polars_sorts_faster", lambda: by_polars)
    rows = codes.PROBE + 5
    random = np.random.default_rng(width).integers(0, 2**width - 1, rows // 2, np.uint64, endpoint=True)
    values = np.append(random, random[: rows - len(random)])  # every code twice
    order, in_order = codes.argsort(values.copy(), width)
    assert (order == np.argsort(values, kind="stable")).all()
    assert (in_order == np.sort(values)).all()


def test_a_try_tells_which_sort_is_faster() -> None:
    codes._polars_sorts_faster.cache_clear()
    assert codes._polars_sorts_faster() in (True, False)
