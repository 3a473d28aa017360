"""Queries, timed and compared with the reference answers; run by every process of an engine."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from deeprc.bench.contest import medians, serve
from deeprc.bench.pdsh.answers import difference
from deeprc.bench.pdsh.engines import Answer, engine
from deeprc.frames import Communicator

Answers = Mapping[int, Sequence[Sequence[str]]]


def row(number: int, took: Sequence[dict], found: pl.DataFrame, answers: Answers) -> dict:
    """What is told of a query: `query`, `seconds` and `cpu_seconds` (medians), `peak_mb`; `right`, null where there is
    no reference answer; `difference`, the first one in a sentence.
    """
    wrong = difference(found, answers[number]) if number in answers else None
    return {
        "query": number,
        **medians(took),
        "right": wrong is None if number in answers else None,
        "difference": wrong,
    }


def as_text(found: pl.DataFrame) -> list[list[str]]:
    """An answer in the form of the reference answers, with all digits."""
    return [["" if value is None else str(value) for value in row] for row in found.rows()]


if __name__ == "__main__":
    address, name, columns, folder = sys.argv[1:]
    world = Communicator.world()
    answer: Answer = engine(name, Path(folder), world, columns)
    serve(address, world, answer, lambda found: found)
