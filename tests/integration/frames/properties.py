"""Frames against Polars; run by every rank: `mpiexec -n R python properties.py RESULTS PROFILE [PROPERTY …]`.

Rank 0 draws the examples and hands each to all ranks; it hears of every rank's failure, so that hypothesis shrinks it.
RESULTS becomes a JSON file with one entry per property: null, or the failure with its example.
PROFILE is one of hypothesis' (tests/profiles.py).
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import polars as pl
from agreeing import gathered
from examples import IN_FILES, VALUES, examples, key_columns, pools, possible, same_order, same_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import LOST, OPERATIONS, applied, fixed, pipelines

import profiles
from deeprc.frames import Communicator, Frame, communicator, join, partition, rounds, scan_parquet, skew, words
from deeprc.frames.lazy import deal, spilling

COMM = Communicator.world()
EXAMPLES = 40 if COMM.size == 1 else 25
OUT_OF_CORE, MEMORY = "out of core", {}
PROPERTIES: dict[str, tuple[Callable, st.SearchStrategy, int | None]] = {}


def holds(strategy: st.SearchStrategy, examples: int | None = None) -> Callable:
    """Register a property of the examples of a strategy; `examples`: how many, where each takes long."""

    def register(check: Callable) -> Callable:
        PROPERTIES[check.__name__] = check, strategy, examples
        return check

    return register


def frame_of(example) -> Frame:
    share = example.share(COMM.rank)
    if set(share.dtypes) & {pl.Int128, pl.UInt128}:
        return Frame(share, COMM)
    return Frame.from_arrow(share.to_arrow(), COMM)


@st.composite
def one_table(draw: st.DrawFn, values: tuple[str, ...] = (), kinds: tuple[str, ...] = tuple(VALUES)):
    """A table and the names of its keys; with these values, or with a few of some kinds."""
    keys = draw(key_columns())
    values = values or draw(st.lists(st.sampled_from(kinds), max_size=3, unique=True))
    return draw(examples(COMM.size, keys, draw(pools(keys)), list(values))), list(keys)


@st.composite
def two_tables(draw: st.DrawFn):
    keys = draw(key_columns())
    pool = draw(pools(keys))
    left, right = (examples(COMM.size, keys, pool, values) for values in (["number", "text"], ["whole", "text"]))
    return draw(left), draw(right), list(keys), draw(st.sampled_from(join.HOW))


@st.composite
def sort_orders(draw: st.DrawFn):
    example, by = draw(one_table())
    return example, by, draw(st.lists(st.booleans(), min_size=len(by), max_size=len(by)))


@holds(two_tables())
def join_matches_polars(left, right, on, how) -> None:
    found = gathered(frame_of(left).join(frame_of(right), on=on, how=how))
    same_rows(found, left.table.join(right.table, on=on, how=how))


@holds(sort_orders())
def sort_matches_polars(example, by, descending) -> None:
    frame = frame_of(example).sort(by, descending=descending)
    same_order(gathered(frame), example.table.sort(by, descending=descending, maintain_order=True))


@holds(one_table(("number", "whole", "truth", "text")))
def groupby_matches_polars(example, by) -> None:
    numbers = ["sum", "mean", "min", "max", "std", "var", "count", "len"]
    spec = {"number": numbers, "whole": numbers, "truth": ["sum", "mean", "min"], "text": "max"}
    expected = example.table.group_by(by).agg(
        getattr(_wide(column, function), function)().alias(f"{column}_{function}")
        for column, functions in spec.items()
        for function in ([functions] if isinstance(functions, str) else functions)
    )
    found = gathered(frame_of(example).groupby(by).agg(spec))
    same_rows(found, expected.with_columns(pl.col("^.*_(count|len)$").cast(pl.Int64)))


@st.composite
def aggregates(draw: st.DrawFn):
    """A table with a column of each of some kinds, and a few of the aggregates that Polars has for each of them."""
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4, unique=True))
    return *draw(one_table(tuple(kinds))), {
        kind: draw(st.lists(st.sampled_from(possible(kind)), min_size=1, max_size=5, unique=True)) for kind in kinds
    }


@holds(aggregates())
def aggregates_of_any_type_match_polars(example, by, spec) -> None:
    def expected(column: str, function: str) -> pl.Expr:
        small = function == "sum" and example.table.schema[column] in (pl.Int32, pl.UInt8, pl.Boolean)
        value = getattr(pl.col(column).cast(pl.Int64) if small else pl.col(column), function)()
        value = value.cast(pl.Int64) if function in ("count", "len", "n_unique") else value
        return value.alias(f"{column}_{function}")

    found = gathered(frame_of(example).groupby(by).agg(spec))
    pairs = [(column, function) for column, functions in spec.items() for function in functions]
    same_rows(found, example.table.group_by(by, maintain_order=True).agg(expected(*pair) for pair in pairs))


def _wide(column: str, function: str) -> pl.Expr:
    if column == "whole" and function in ("std", "var"):
        # Polars rounds where all values are far from 0, ours does not: it is asked for the same of smaller numbers.
        return pl.col(column).cast(pl.Int64) - pl.col(column).cast(pl.Int64).min()
    whole = column in ("whole", "truth")
    return pl.col(column).cast(pl.Int64) if whole and function == "sum" else pl.col(column)


@holds(one_table(("number", "text")))
def groupby_of_whole_groups_matches_polars(example, by) -> None:
    frame = frame_of(example).groupby(by)
    expected = example.table.group_by(by).agg(
        pl.col("number").median().alias("number_median"),
        pl.col("text").n_unique().cast(pl.Int64).alias("text_n_unique"),
    )
    same_rows(gathered(frame.agg({"number": "median", "text": "n_unique"})), expected)
    expected = example.table.group_by(by).agg(
        pl.col("row").first().alias("row_first"), pl.col("text").last().alias("text_last")
    )
    same_rows(gathered(frame.agg({"row": "first", "text": "last"})), expected)


@holds(one_table())
def repartition_keeps_order_and_balances(example, by) -> None:
    frame = frame_of(example).repartition()
    heights = COMM.allgather(frame.to_polars().height)
    assert max(heights) - min(heights) <= 1
    same_order(gathered(frame), example.table)


@holds(st.tuples(one_table(), st.integers(0, 5), st.integers(0, 5)))
def halo_holds_the_neighbours_rows(table, before, after) -> None:
    example, _ = table
    frame = frame_of(example)
    start = COMM.exscan(frame.to_polars().height)
    earlier, later = frame.halo(before, after)
    same_order(earlier, example.table[max(0, start - before) : start])
    end = start + frame.to_polars().height
    same_order(later, example.table[end : end + after])


@holds(st.tuples(one_table(kinds=tuple(IN_FILES)), st.sampled_from(["arrow", "parquet"])))
def files_hold_what_was_written(table, kind) -> None:
    example, _ = table
    folder = Path(sys.argv[1]).with_suffix(".folder")
    frame = frame_of(example)
    getattr(frame, f"write_{kind}")(folder)
    assert len(list(folder.iterdir())) == COMM.size
    same_order(gathered(getattr(Frame, f"read_{kind}")(folder, COMM)), example.table)
    COMM.barrier()


@holds(one_table(("number",)))
def local_operations_match_polars(example, by) -> None:
    frame = frame_of(example).filter(pl.col("number") > 0).with_columns(twice=pl.col("number") * 2).select(*by, "twice")
    expected = example.table.filter(pl.col("number") > 0).select(*by, twice=pl.col("number") * 2)
    same_order(gathered(frame), expected)
    assert frame.rows() == expected.height


@holds(pipelines(COMM.size), examples=15)
def lazy_pipelines_match_polars(left, right, keys, names, ordered) -> None:
    plan = applied(frame_of(left).lazy(), frame_of(right).lazy(), keys, names)
    assert plan.explain()
    expected = applied(left.table.lazy(), right.table.lazy(), keys, names).collect()
    (same_order if ordered else same_rows)(gathered(plan.collect(memory=MEMORY.get("budget"))), expected)


@holds(st.sampled_from([("int64", 0), ("string", 1), ("int64", 2)]), examples=6 if COMM.size == 2 else 2)
def each_lazy_operation_matches_polars(kind, scanned) -> None:
    left, right, keys = fixed(COMM.size, kind)
    tables, frames = (left.table.lazy(), right.table.lazy()), [frame_of(left).lazy(), frame_of(right).lazy()]
    for number in range(2 - scanned, 2):  # small files are read by every rank
        folder = Path(sys.argv[1]).with_suffix(f".{number}")
        frames[number].collect().write_parquet(folder)
        frames[number] = scan_parquet(folder, COMM)
    for name, operation in OPERATIONS.items():
        found = applied(*frames, keys, [name]).collect(memory=MEMORY.get("budget"))
        expected = applied(*tables, keys, [name]).collect()
        try:
            (same_rows if operation.order == LOST else same_order)(gathered(found), expected)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


@holds(st.just(("int64", 2)), examples=1)
def each_lazy_operation_out_of_core_matches_polars(kind, scanned) -> None:
    out_of_core(COMM.size == 2)
    if COMM.size == 2:
        each_lazy_operation_matches_polars(kind, scanned)


def out_of_core(wanted: bool) -> None:
    """Take the ways of rows that memory has no room for: in batches, by way of files."""
    MEMORY["budget"] = "16 MiB" if wanted else None
    spilling.IN_MEMORY_PART, spilling.LEAST_BATCH = (0, 7) if wanted else (1 / 8, 1000)


def verdict(name: str, example: tuple, large: bool | str) -> str | None:
    """Run on every rank: the failures of all ranks, if any.

    Parameters
    ----------
    large
        Take the ways of large tables and of many ranks: messages in pieces (of 16 bytes), joins in cache-sized buckets
        or by merging, rows ordered by rank, no side of a join sent to every rank, rows of heavy keys split, and texts
        sorted in many rounds; or those of `out_of_core`.
    """
    out_of_core(large == OUT_OF_CORE)
    communicator.PIECE, join.SMALL, partition.FEW_RANKS = (16, 1, 1) if large is True else (2**30, 2**16, 6)
    deal.SPREAD_BYTES, deal.LITTLE_BYTES = (0, 0) if large else (2**28, 2**20)
    skew.MANY, skew.SURE = (0, 3) if large else (2**17, 8)
    rounds.FEW, words.MOST_WORDS = (0, 1) if large else (1000, 8)
    failure = None
    try:
        PROPERTIES[name][0](*example)
    except Exception:
        failure = traceback.format_exc()
    failures = COMM.allgather(failure)
    texts = [f"on rank {rank} of {COMM.size}:\n{text}" for rank, text in enumerate(failures) if text]
    return "".join(texts) or None


def test_of(name: str, last: Path) -> Callable[[], None]:
    """The hypothesis test of a property, for rank 0; every example that it draws is run by all ranks."""

    _, strategy, most = PROPERTIES[name]

    @settings(max_examples=profiles.examples(most or EXAMPLES))
    @given(strategy, st.sampled_from((False, True, OUT_OF_CORE)) if "pipelines" in name else st.booleans())
    def test(example: tuple, large: bool | str) -> None:
        last.write_text(f"{name}, large={large}: {example}")  # what is shown when the ranks never come back
        hand_out((name, example, large))
        failure = verdict(name, example, large)
        assert failure is None, failure

    return test


def lead(names: list[str], results: Path) -> None:
    """Rank 0: draw examples, hear the verdicts."""
    found: dict[str, str | None] = {}
    for name in names:
        start = time.perf_counter()
        try:
            test_of(name, results.with_suffix(".last"))()
            found[name] = None
        except Exception as error:
            found[name] = "".join(traceback.format_exception(error))
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    results.write_text(json.dumps(found))
    hand_out(None)


def hand_out(task: tuple | None) -> None:
    for rank in range(1, COMM.size):
        COMM.comm.send(task, dest=rank)


def follow() -> None:
    """The other ranks: run what rank 0 draws; asleep meanwhile, since ranks that wait in MPI take a core each."""
    while True:
        while not COMM.comm.iprobe(source=0):
            time.sleep(0.0005)
        if (task := COMM.comm.recv(source=0)) is None:
            return
        verdict(*task)


if __name__ == "__main__":
    if COMM.rank == 0:
        profiles.load(sys.argv[2])
        lead(sys.argv[3:] or list(PROPERTIES), Path(sys.argv[1]))
    else:
        follow()
