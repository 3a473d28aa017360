"""All queries by their numbers."""

from __future__ import annotations

from deeprc.bench.pdsh import queries_1, queries_2

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
QUERIES = {number: getattr(queries_1 if number < 12 else queries_2, f"q{number}") for number in range(1, 23)}
