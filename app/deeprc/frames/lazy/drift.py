"""Files whose columns differ: united by name, and widened where no value changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from deeprc.core.errors import InputError

SIGNED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
UNSIGNED = (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
EXACT = (*SIGNED[:3], *UNSIGNED[:3], pl.Float32)  # every value of these is one of Float64


def united(schemas: Sequence[Mapping[str, pl.DataType]], files: Sequence[object]) -> pl.Schema:
    """The columns of all files, those of the first one first; each with a type that holds all its values.

    Raises
    ------
    InputError
        When there is no such type: text here and numbers there.
    """
    found: dict[str, pl.DataType] = {}
    kinds: dict[str, list[pl.DataType]] = {}
    first: dict[str, object] = {}
    for schema, file in zip(schemas, files, strict=True):
        for name, kind in schema.items():
            known = kinds.setdefault(name, [])
            if kind in known:
                continue
            known.append(kind)
            wide = _widest(known)
            if wide is None:
                raise InputError(
                    f"column {name!r} has another type than in the files before, and none holds the values of both",
                    where=file,
                    found=f"{name}: {kind!r}",
                    expected=f"{name}: {found[name]!r} ({first[name]})",
                    fix="write the files alike, or scan them apart, cast the column, and use concat([…])",
                )
            found[name] = wide
            first.setdefault(name, file)
    return pl.Schema(found)


def _widest(kinds: Sequence[pl.DataType]) -> pl.DataType | None:
    """The narrowest type that holds all values of all, whatever their order.

    Floats come first: two kinds of whole numbers may be widened to more digits than a float has, which holds each.
    """
    wide, *others = sorted(kinds, key=lambda kind: not kind.is_float())
    for kind in others:
        wide = None if wide is None else wider(wide, kind)
    return wide


def wider(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The narrower of the types that hold all values of both; None if there is none."""
    if one == other:
        return one
    if pl.Null in (one, other):
        return other if one == pl.Null else one
    for kinds in (SIGNED, UNSIGNED):
        if one in kinds and other in kinds:
            return kinds[max(kinds.index(one), kinds.index(other))]()
    if one in (*SIGNED, *UNSIGNED) and other in (*SIGNED, *UNSIGNED):
        signed, unsigned = (one, other) if one in SIGNED else (other, one)
        at = max(SIGNED.index(signed), UNSIGNED.index(unsigned) + 1)
        return SIGNED[at]() if at < len(SIGNED) else None
    floats = (pl.Float32, pl.Float64)
    if (one in floats and other in (*EXACT, pl.Float64)) or (other in floats and one in (*EXACT, pl.Float64)):
        return pl.Float64()
    return None


def like(rows: pl.LazyFrame, has: Mapping[str, pl.DataType], wanted: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    """A file's rows with the columns of all files: null where it has none."""
    columns = []
    for name, kind in wanted.items():
        column = pl.col(name) if name in has else pl.lit(None, dtype=kind).alias(name)
        columns.append(column.cast(kind) if has.get(name, kind) != kind else column)
    return rows.select(columns)
