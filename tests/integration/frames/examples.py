"""Random tables for the property tests, and how results are compared."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass

import polars as pl
from hypothesis import strategies as st

TIMES = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1))
LONG = st.integers(-(2**63), 2**63 - 1)

KEY_TYPES: dict[str, tuple[pl.DataType, st.SearchStrategy]] = {
    "int8": (pl.Int8(), st.integers(-128, 127)),
    "int64": (pl.Int64(), st.integers(-9, 9) | LONG),
    "uint64": (pl.UInt64(), st.integers(0, 9) | st.integers(0, 2**64 - 1)),
    "float": (pl.Float64(), st.floats() | st.sampled_from([0.0, -0.0, math.nan])),
    "bool": (pl.Boolean(), st.booleans()),
    "string": (pl.String(), st.text(max_size=5)),
    "path": (pl.String(), st.builds("{}{}".format, st.sampled_from(["", "/a", "/path/" * 9]), st.text(max_size=20))),
    "date": (pl.Date(), st.dates(dt.date(1950, 1, 1), dt.date(2100, 1, 1))),
    "time": (pl.Datetime("us"), TIMES),
    "time with zone": (pl.Datetime("ms", "Europe/Berlin"), TIMES.map(lambda t: t.replace(microsecond=0))),
    "dictionary": (pl.Categorical(), st.text("abü", min_size=1, max_size=2)),
    "binary": (pl.Binary(), st.binary(max_size=3)),
}
# Every kind of column on the wire; whole numbers as floats, so that sums do not depend on the order.
VALUES: dict[str, tuple[pl.DataType, st.SearchStrategy]] = {
    "number": (pl.Float64(), st.integers(-1000, 1000).map(float)),
    "whole": (pl.Int32(), st.integers(-(2**31), 2**31 - 1)),
    "text": (pl.String(), st.text(max_size=3)),
    "truth": (pl.Boolean(), st.booleans()),
    "price": (pl.Decimal(20, 2), st.decimals(-100, 100, places=2)),
    "wide": (pl.Int128(), st.integers(-9, 9) | st.integers(2**99, 2**100)),
    "wider": (pl.UInt128(), st.integers(0, 9) | st.integers(2**64, 2**127)),
    "short": (pl.UInt8(), st.integers(0, 255)),
    "single": (pl.Float32(), st.integers(-9, 9).map(float)),
    "span": (pl.Duration("ms"), st.integers(-999, 999).map(lambda n: dt.timedelta(milliseconds=2 * n))),
    "day": (pl.Date(), st.dates(dt.date(1950, 1, 1), dt.date(2100, 1, 1))),
    "moment": (pl.Datetime("us", "UTC"), TIMES.map(lambda t: t.replace(microsecond=0))),
    "clock": (pl.Time(), st.integers(0, 86_399).map(lambda n: dt.time(n // 3600, n // 60 % 60, n % 60))),
    "category": (pl.Categorical(), st.sampled_from("bac")),
    "level": (pl.Enum(["low", "high", "all"]), st.sampled_from(["low", "high", "all"])),
    "list": (pl.List(pl.Int16()), st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "nothing": (pl.Null(), st.none()),
}
IN_FILES = [name for name in VALUES if name not in ("wide", "wider")]  # Arrow has no integers of 128 bits


@dataclass(frozen=True)
class Example:
    """A table, and where it is cut into the ranks' shares."""

    table: pl.DataFrame
    cuts: tuple[float, ...]

    def share(self, rank: int) -> pl.DataFrame:
        borders = [0, *(round(cut * self.table.height) for cut in self.cuts), self.table.height]
        return self.table[borders[rank] : borders[rank + 1]]

    def __repr__(self) -> str:
        rows = self.table.to_dicts()
        return f"Example(cuts={self.cuts}, schema={dict(self.table.schema)}, rows={rows})"


@st.composite
def key_columns(draw: st.DrawFn, most: int = 2) -> dict[str, str]:
    """Names of key columns and their kinds."""
    kinds = draw(st.lists(st.sampled_from(list(KEY_TYPES)), min_size=1, max_size=most))
    return {f"key{index}": kind for index, kind in enumerate(kinds)}


@st.composite
def pools(draw: st.DrawFn, keys: dict[str, str]) -> dict[str, list]:
    """Few values per key, so that keys repeat; with a single one all rows are in one group."""
    return {
        name: draw(st.lists(st.none() | KEY_TYPES[kind][1], min_size=1, max_size=5, unique_by=repr))
        for name, kind in keys.items()
    }


@st.composite
def examples(draw: st.DrawFn, ranks: int, keys: dict[str, str], pool: dict[str, list], values: list[str]) -> Example:
    """A table of the keys and some value columns; ranks and the table may be empty."""
    height = draw(st.sampled_from([0, 1, 5, 40]) | st.integers(0, 12))
    random = draw(st.randoms(use_true_random=False))
    columns = [
        pl.Series(name, random.choices(pool[name], k=height), KEY_TYPES[kind][0], strict=False)
        for name, kind in keys.items()
    ]
    for name in values:
        dtype, strategy = VALUES[name]
        few = draw(st.lists(st.none() | strategy, min_size=1, max_size=4))
        columns.append(pl.Series(name, random.choices(few, k=height), dtype))
    columns.append(pl.Series("row", range(height), pl.Int64()))
    cuts = sorted(draw(st.lists(st.sampled_from([0, 0.25, 0.5, 1]), min_size=ranks - 1, max_size=ranks - 1)))
    return Example(pl.DataFrame(columns), tuple(cuts))


def rows(table: pl.DataFrame) -> list[tuple]:
    """Rows that compare: NaN equals NaN, floats to nine digits."""
    return [tuple(map(_plain, row)) for row in table.rows()]


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value:.9g}") + 0.0
    return tuple(value) if isinstance(value, list) else value


def same_rows(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Assert the same columns and the same rows, in any order."""
    assert found.schema == expected.schema
    ours, theirs = Counter(rows(found)), Counter(rows(expected))
    assert ours == theirs, f"\ntoo many: {ours - theirs}\nmissing: {theirs - ours}"


def same_order(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Assert the same columns and the same rows, in the same order."""
    assert found.schema == expected.schema
    assert rows(found) == rows(expected)


def possible(kind: str) -> list[str]:
    """The aggregates that Polars has for a kind of values, and that can be compared with ours."""
    found, empty = [], pl.DataFrame(schema={"value": VALUES[kind][0]})
    for function in ("sum", "mean", "min", "max", "std", "var", "count", "len", "n_unique", "median", "first", "last"):
        if function in ("std", "var") and kind in ("wide", "wider", "single"):
            continue  # Polars' own have too few digits to compare
        if function == "n_unique" and kind == "list":
            continue
        try:
            empty.select(getattr(pl.col("value"), function)())
            found.append(function)
        except pl.exceptions.InvalidOperationError:
            continue
    return found
