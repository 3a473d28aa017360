"""Counted messages, the fit to published times, and that the documents show what the model says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deeprc.bench.scaling import PUBLISHED, direct, fitted, modelled, table, two_levels
from deeprc.bench.tables import operations, queries

ROOT = Path(__file__).parents[3]


def test_messages_are_those_that_an_exchange_on_made_up_nodes_sent() -> None:
    # integration/frames/scenarios.py counts two of each of two partners
    assert two_levels(2, 10_000).messages == 4
    assert two_levels(2, 10_000, piece=100).messages == 2 * (1 + 25)
    assert direct(3, 900, columns=2).messages == 6 * 3
    assert two_levels(256, 56e9).messages == 2 * 256 * 255


def test_the_fit_tells_what_was_put_in() -> None:
    a, b = fitted({ranks: 2000 / ranks + 4e-7 * ranks**2 for ranks in PUBLISHED})
    assert (a, b) == (pytest.approx(2000), pytest.approx(4e-7))


def test_the_fit_is_near_what_is_published() -> None:
    a, b = fitted(PUBLISHED)
    assert all(abs(a / ranks + b * ranks**2 - seconds) < 0.15 * seconds for ranks, seconds in PUBLISHED.items())
    assert sum(modelled(10_752, b).values()) < sum(modelled(42, b).values())


def test_the_documents_show_the_table() -> None:
    assert table() in (ROOT / "docs" / "frames-speed.md").read_text()


def test_the_documents_show_the_queries_as_measured() -> None:
    figures = json.loads((ROOT / "docs" / "figures" / "pdsh-sf1.json").read_text())
    assert len(figures["queries"]) == 22
    assert queries(figures) in (ROOT / "docs" / "frames-speed.md").read_text()


def test_the_documents_show_the_operations_as_measured() -> None:
    runs = json.loads((ROOT / "docs" / "figures" / "frames.json").read_text())
    assert runs and operations(runs) in (ROOT / "docs" / "frames-speed.md").read_text()
