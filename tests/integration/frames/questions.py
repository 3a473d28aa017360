"""The questions of db-benchmark (h2oai): 10 groupbys and 5 joins, in Polars' syntax, on tables of the same form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

v1, v2, v3 = (pl.col(name) for name in ("v1", "v2", "v3"))


def groupby_table(rows: int, groups: int) -> pl.DataFrame:
    """id1 to id3 are text and id4 to id6 numbers, of `groups`, `groups` and rows / groups values each."""
    random, most = np.random.default_rng(108), (groups, groups, rows // groups)
    text = {f"id{at}": [f"id{n:03d}" for n in random.integers(1, most[at - 1] + 1, rows)] for at in (1, 2, 3)}
    whole = {f"id{at}": random.integers(1, most[at - 4] + 1, rows) for at in (4, 5, 6)}
    values = {"v1": random.integers(1, 6, rows), "v2": random.integers(1, 16, rows)}
    return pl.DataFrame({**text, **whole, **values, "v3": random.integers(0, 10**8, rows) / 2**10})


GROUPBYS: dict[str, Callable[[Any], Any]] = {
    "sum v1 by id1": lambda x: x.group_by("id1").agg(v1.sum()),
    "sum v1 by id1:id2": lambda x: x.group_by("id1", "id2").agg(v1.sum()),
    "sum v1 mean v3 by id3": lambda x: x.group_by("id3").agg(v1.sum(), v3.mean()),
    "mean v1:v3 by id4": lambda x: x.group_by("id4").agg(pl.col("v1", "v2", "v3").mean()),
    "sum v1:v3 by id6": lambda x: x.group_by("id6").agg(pl.col("v1", "v2", "v3").sum()),
    "median v3 sd v3 by id4 id5": lambda x: x.group_by("id4", "id5").agg(
        v3.median().alias("med"), v3.std().alias("sd")
    ),
    "max v1 - min v2 by id3": lambda x: x.group_by("id3").agg((v1.max() - v2.min()).alias("range")),
    "largest two v3 by id6": lambda x: x.group_by("id6").agg(v3.top_k(2).sort(descending=True)).explode("v3"),
    "regression v1 v2 by id2 id4": lambda x: x.group_by("id2", "id4").agg((pl.corr("v1", "v2") ** 2).alias("r2")),
    "sum v3 count by id1:id6": lambda x: x.group_by([f"id{n}" for n in range(1, 7)]).agg(v3.sum(), pl.len()),
}


def join_tables(rows: int) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The left table, and a small, a medium and a large one; nine tenths of the keys are on both sides."""
    random = np.random.default_rng(109)

    def keys(most: int, count: int) -> np.ndarray:
        return random.integers(1, most + max(most // 10, 1) + 1, count)

    sizes = [max(rows // 1000, 2), max(rows // 30, 2), rows]
    left = pl.DataFrame(
        {f"id{at}": keys(size, rows) for at, size in enumerate(sizes, 1)} | {"v1": random.integers(0, 99, rows)}
    )
    left = left.with_columns(pl.format("id{}", f"id{at}").alias(f"id{at + 3}") for at in (1, 2, 3))
    right = []
    for at, size in enumerate(sizes, 1):
        table = pl.DataFrame(
            {f"id{at}": random.permutation(np.arange(1, size + 1)), "v2": random.integers(0, 99, size)}
        )
        right.append(table.with_columns(pl.format("id{}", f"id{at}").alias(f"id{at + 3}")))
    return left, right


JOINS: dict[str, Callable[[Any, list[Any]], Any]] = {
    "small inner on int": lambda x, t: x.join(t[0], on="id1"),
    "medium inner on int": lambda x, t: x.join(t[1], on="id2"),
    "medium outer on int": lambda x, t: x.join(t[1], on="id2", how="left"),
    "medium inner on text": lambda x, t: x.join(t[1], on="id5"),
    "big inner on int": lambda x, t: x.join(t[2], on="id3"),
}
