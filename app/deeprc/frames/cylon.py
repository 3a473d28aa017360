"""Cylon as the engine of joins, sorts and groupbys: where it is asked for, is there, and can do what is asked.

Written for pycylon 0.6, by its documented calls. It gives no names that one could rely on, so columns are told by their
places. What it cannot do as frames do it is done by ours, and said.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import polars as pl
import pyarrow as pa

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.frames.communicator import Communicator
from deeprc.frames.engine import ENGINE, agreed, word
from deeprc.frames.names import renamed

AGGREGATES = ("sum", "min", "max", "count", "mean")
SMALL = (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)
NUMBER = "n"
_ENVIRONMENTS: WeakKeyDictionary[Communicator, Any] = WeakKeyDictionary()
_SAID: set[str] = set()


class Cylon:
    """Its tables and its environment on these ranks; by the first use of each communicator."""

    def __init__(self, comm: Communicator) -> None:
        from pycylon import CylonEnv, DataFrame
        from pycylon.net import MPIConfig

        # It is not finalized: MPI is mpi4py's, which ends it.
        self.env, self.frame = CylonEnv(config=MPIConfig(comm.comm), distributed=True), DataFrame

    def table(self, rows: pl.DataFrame) -> Any:
        """Rows as it takes them; days and times as the numbers that they are."""
        plain = rows.with_columns(rows[name].to_physical() for name, kind in rows.schema.items() if kind.is_temporal())
        return self.frame(plain.to_arrow(compat_level=pl.CompatLevel.oldest()))


def chosen(comm: Communicator) -> Cylon | None:
    """Cylon where DEEPRC_FRAMES_ENGINE says so on all ranks; None for ours.

    Raises
    ------
    ConfigError
        On every rank, for an engine that is not known, that only some ranks ask for, or that is not installed.
    """
    if comm not in _ENVIRONMENTS:
        name = agreed(comm.allgather(word()))
        with comm.together():
            try:
                made = Cylon(comm) if name == "cylon" else None
            except ImportError as error:
                raise ConfigError(
                    "engine cylon: pycylon is not installed here",
                    where=ENGINE,
                    found=error,
                    fix="leave out the key `engine`, or the variable; or run where it is",
                ) from error
        _ENVIRONMENTS[comm] = made  # on all ranks or on none: those without it would ask the others again
    return _ENVIRONMENTS[comm]


def asked_of_a_plan(whats: Sequence[str | None], comm: Communicator) -> None:
    """Say of a plan's steps that Cylon is asked for and ours makes them; an error as of `chosen`."""
    if whats and chosen(comm) is not None:
        for what in whats:
            _is_ours(what and f"{what} of a plan", comm)


def join(
    left: pl.DataFrame, right: pl.DataFrame, on: Sequence[str], how: str, names: Sequence[str], comm: Communicator
) -> pl.DataFrame | None:
    """The joined rows, whose columns are to be called `names`; None where ours joins them."""
    cylon = chosen(comm)
    if cylon is None:
        return None
    not_so = f"join, how={how!r}" if how not in ("inner", "left") else _unfit("join", [left, right], [on, on])
    if _is_ours(not_so, comm):
        return None
    keys = [f"k{number}" for number in range(len(on))]
    ours, theirs = (
        renamed(frame.select(*on, *rest), [*keys, *(f"{side}{number}" for number in range(len(rest)))])
        for frame, side in ((left, "l"), (right, "r"))
        for rest in [[name for name in frame.columns if name not in on]]
    )
    with comm.all_or_none():
        tables = cylon.table(ours), cylon.table(theirs)
        found = tables[0].merge(tables[1], how=how, on=keys, algorithm="sort", env=cylon.env).to_arrow()
    columns = _taken(found, [*ours.dtypes, *theirs.dtypes], "merge")
    rows = pl.DataFrame([*columns[: ours.width], *columns[ours.width + len(on) :]])
    mine = [*on, *(name for name in left.columns if name not in on)]
    return renamed(rows, [*mine, *names[left.width :]]).select(names)


def sort(df: pl.DataFrame, by: Sequence[str], descending: Sequence[bool], comm: Communicator) -> pl.DataFrame | None:
    """The rows in order; None where ours sorts them. Rows of equal keys keep their order, by a number of their own."""
    cylon = chosen(comm)
    if cylon is None or _is_ours("sort, descending" if any(descending) else _unfit("sort", [df], [by]), comm):
        return None
    start = comm.exscan(df.height)
    numbered = renamed(df, [f"c{number}" for number in range(df.width)]).with_columns(
        pl.int_range(start, start + df.height, dtype=pl.Int64).alias(NUMBER)
    )
    keys = [f"c{df.columns.index(name)}" for name in by]
    with comm.all_or_none():
        found = cylon.table(numbered).sort_values(by=[*keys, NUMBER], env=cylon.env).to_arrow()
    return renamed(pl.DataFrame(_taken(found, [*df.dtypes, pl.Int64()], "sort_values")[:-1]), df.columns)


def groupby(
    rows: pl.DataFrame, keys: Sequence[str], wanted: Sequence[tuple[str, str]], comm: Communicator
) -> list[pl.Series] | None:
    """The keys of each group, then the aggregates: columns and functions, as asked for; None where ours makes them."""
    cylon = chosen(comm)
    if cylon is None:
        return None
    odd = next((f"groupby, {function}" for _, function in wanted if function not in AGGREGATES), None)
    spec: dict[str, list[str]] = {}
    for column, function in wanted:
        spec.setdefault(column, []).append(function)
    some = rows.select(*keys, *spec)
    if _is_ours(odd or _unfit("groupby", [some], [some.columns]), comm):
        return None
    # A sum has 64 bits, so that many rows do not overflow.
    wide = some.with_columns(pl.col(name).cast(pl.Int64) for name in spec if some[name].dtype in SMALL)
    with comm.all_or_none():
        found = cylon.table(wide).groupby(list(keys), env=cylon.env).agg(spec).to_arrow()
    columns = _taken(found, [*(rows.schema[key] for key in keys), *(None for _ in wanted)], "groupby")
    order = [(column, function) for column, functions in spec.items() for function in functions]
    return [*columns[: len(keys)], *(columns[len(keys) + order.index(each)] for each in wanted)]


def _unfit(what: str, frames: Sequence[pl.DataFrame], keys: Sequence[Sequence[str]]) -> str | None:
    """What of these rows Cylon may take otherwise than frames do."""
    for frame, names in zip(frames, keys, strict=True):
        for kind in frame.dtypes:
            if not (kind.is_integer() or kind.is_float() or kind.is_temporal() or kind == pl.String):
                return f"{what}, a column of type {kind}"
        if any(frame[name].null_count() for name in names):
            return f"{what}, nulls"
        if any(frame.schema[name].is_float() and frame[name].is_nan().any() for name in names):
            return f"{what}, NaN"
    return None


def _is_ours(not_so: str | None, comm: Communicator) -> bool:
    """Whether some rank has something that Cylon cannot do as frames do it; then that is said, once."""
    said = next((each for each in comm.allgather(not_so) if each), None)
    if said and said not in _SAID:
        _SAID.add(said)
        if comm.rank == 0:
            print(f"engine cylon: done by arrow: {said}", file=sys.stderr)
    return said is not None


def _taken(table: pa.Table, kinds: Sequence[pl.DataType | None], call: str) -> list[pl.Series]:
    if table.num_columns != len(kinds):
        raise DeepRCError(
            f"engine cylon: {call} has given other columns than this was written for (pycylon 0.6)",
            found=f"{table.num_columns}: {', '.join(table.column_names)}",
            expected=f"{len(kinds)} columns",
            fix="take another pycylon, or engine arrow",
        )
    columns = [pl.Series(f"_{at}", column) for at, column in enumerate(table.columns)]
    return [column if kind is None else column.cast(kind) for column, kind in zip(columns, kinds, strict=True)]
