"""All queries by their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from deeprc.bench.pdsh import queries_1, queries_2
from deeprc.bench.pdsh.queries_1 import DISC_PRICE

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
QUERIES = {number: getattr(queries_1 if number < 12 else queries_2, f"q{number}") for number in range(1, 23)}


def read_by(number: int) -> frozenset[str]:
    """All words of a query, the columns among them: who reads no other ones of a table has pruned it by hand."""
    code = QUERIES[number].__code__
    price = DISC_PRICE.meta.root_names() if "DISC_PRICE" in _words(code) else []
    return frozenset([*_words(code), *price])


def _words(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        for each in constant if isinstance(constant, tuple) else (constant,):
            if isinstance(each, CodeType):
                yield from _words(each)
            elif isinstance(each, str):
                yield each
