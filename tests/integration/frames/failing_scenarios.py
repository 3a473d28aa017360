"""What fails on one rank, or differs between ranks, must be one error on all of them; see `scenarios`."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
from agreeing import COMM, fails, mine, scenarios_of

from deeprc.core.errors import ConfigError, DeepRCError, InputError
from deeprc.frames import Communicator, Frame, concat
from deeprc.frames.shuffle import SchemaError
from deeprc.frames.topology import DIRECT, SHARED

FOLDER = Path(sys.argv[1])


@contextmanager
def broken(module: str, function: str):
    """On rank 1 a function of the frames fails, as it would without memory."""
    home = importlib.import_module(f"deeprc.frames.{module}")
    whole = getattr(home, function)

    def fail(*_: object, **__: object) -> None:
        raise MemoryError(f"no memory for {function}")

    if COMM.rank == 1:
        setattr(home, function, fail)
    try:
        yield
    finally:
        setattr(home, function, whole)


def frames_of_other_ranks_are_not_put_together() -> None:
    """Each rank has all rows of a frame of its own: taken for a share of them they came once for each rank."""
    table = pl.DataFrame({"k": [1, 2, 3]})
    ours, own = mine(table), Frame(table, Communicator.alone())
    one, other = (
        f"{name} ({count} rank{'s' * (count > 1)})"
        for name, count in (("MPI_COMM_WORLD", 3), ("Communicator.alone()", 1))
    )
    for call in ("join", "join_asof", "concat"):
        for a, b, named in ((ours, own, f"{one} and {other}"), (own, ours, f"{other} and {one}")):
            with fails(InputError, f"{call}: the frames are of different communicators\n  found: {named}"):
                if call == "concat":
                    concat([a.lazy(), b.lazy()])
                else:
                    getattr(a.lazy(), call)(b.lazy(), on="k")
    with fails(InputError, "join: the frames are of different communicators"):
        ours.join(own, on="k")
    again = Frame(ours.local, Communicator(COMM.comm.Dup()))  # other messages, the same ranks
    assert ours.join(again, on="k").rows() == 3


def other_columns_on_a_rank_fail_on_every_rank() -> None:
    kind = pa.int32() if COMM.rank == 1 else pa.int64()
    with fails(SchemaError, "rank 1", "Int32", "Int64"):
        Frame.from_arrow(pa.table({"key": pa.array([1], kind)}), COMM)


def a_rank_without_rows_needs_the_columns_too() -> None:
    table = pa.table({"key": [1]}) if COMM.rank else pa.table({})
    with fails(SchemaError, "rank 1", "no columns"):
        Frame.from_arrow(table, COMM)


def columns_that_come_to_differ_are_noticed_at_once() -> None:
    frame = mine(pl.DataFrame({"key": range(9)}))
    value = pl.lit(1.5) if COMM.rank == 2 else pl.lit("text")
    for make in (frame.with_columns, frame.select):
        with fails(SchemaError, "rank 2", "value: Float64", "value: String"):
            make(value=value)
    with fails(SchemaError, "rank 2", "key: Int64", "other: Int64"):
        frame.select(pl.col("key").alias("other" if COMM.rank == 2 else "key"))


def what_fails_on_one_rank_fails_on_every_rank() -> None:
    texts = ["1", "n/a"] if COMM.rank == 1 else ["1", "2"]
    frame = Frame(pl.DataFrame({"key": [1, 2], "text": texts}), COMM)
    number = pl.col("text").cast(pl.Int64)
    for work in (
        lambda: frame.filter(number > 1),
        lambda: frame.with_columns(number),
        lambda: frame.select(number),
        lambda: frame.filter(pl.col("text").map_elements(lambda text: int(text + "") > 1, return_dtype=pl.Boolean)),
    ):
        with fails(DeepRCError, "rank 1 of 3 failed", "n/a"):
            work()
    odd = pa.table({"key": pa.array([None], pa.month_day_nano_interval())})
    with fails(DeepRCError, "rank 1 of 3 failed", "month_day_nano_interval"):
        Frame.from_arrow(odd if COMM.rank == 1 else pa.table({"key": [1]}), COMM)
    with fails(InputError, "rank 1 of 3 failed", "list"):
        Frame([1] if COMM.rank == 1 else pl.DataFrame({"key": [1]}), COMM)
    with fails(DeepRCError, "rank 1 of 3 failed", "exit"), COMM.together():
        if COMM.rank == 1:
            sys.exit("exit")


def a_local_step_that_fails_on_one_rank_fails_on_every_rank() -> None:
    table = pl.DataFrame({"key": range(90), "text": ["a", "b", "c"] * 30, "value": 1.5, "list": [[1]] * 90})
    frame = mine(table)
    number, text = frame.select("key", "value"), frame.select("text", "value")
    join, sort, group = (
        lambda: frame.join(number, on="key"),
        lambda: number.sort("key"),
        lambda: number.groupby("key").agg({"value": ["sum", "var"]}),
    )
    steps = {
        ("sort", "ranges"): [sort],
        ("sort", "encode"): [sort],
        ("sort", "sorted_by_codes"): [sort],
        ("sort", "outlined"): [lambda: text.sort("text")],
        ("sort", "coded"): [lambda: text.sort("text")],
        ("sort", "ordered"): [lambda: text.sort("text")],
        ("sort", "_last_equal"): [lambda: text.sort("text")],
        ("sort", "_cut"): [lambda: frame.sort("list")],
        ("join", "local_join"): [join],
        ("partition", "row_hash"): [join, group],
        ("partition", "_by_rank"): [join, sort, group],
        ("shared", "to_arrays"): [join, sort, group, frame.repartition],
        ("shared", "from_arrays"): [join, sort, group],  # rows that stay are not taken apart
        ("groupby", "reduce_groups"): [group],
        ("groupby", "partial_sums"): [group],
        ("groupby", "variances"): [group],
        ("groupby", "expression"): [lambda: number.groupby("key").agg({"value": ["sum", "median"]})],
        ("frame", "to_table"): [frame.gather],
        ("io", "to_table"): [lambda: frame.write_parquet(FOLDER / "none"), lambda: frame.write_arrow(FOLDER / "none")],
    }
    by_mpi = {
        ("shuffle", "to_arrays"): [join, sort, group, frame.repartition],
        ("shuffle", "_messages"): [join, frame.repartition],
        ("shuffle", "from_arrays"): [join, sort, group, frame.repartition],
        ("shuffle", "_joined"): [join, frame.repartition],
    }
    usual = COMM.topology
    assert usual.way == SHARED
    for way, steps_of_way in ((SHARED, steps), (DIRECT, by_mpi)):
        COMM.topology = replace(usual, way=way)
        for (module, function), works in steps_of_way.items():
            for work in works:
                with broken(module, function), fails(DeepRCError, "rank 1 of 3 failed", f"no memory for {function}"):
                    work()
    COMM.topology = usual
    assert not (FOLDER / "none").exists()
    assert frame.rows() == 90  # all ranks are still at the same point


def a_step_of_a_plan_that_fails_on_one_rank_fails_on_every_rank() -> None:
    """Also where a rank cannot read what came, which it tells in the next agreement: no result comes before that."""
    table = pl.DataFrame({"key": range(90), "part": [1, 2, 3] * 30, "value": 1.5})
    plan = mine(table).lazy()
    total, median = pl.col("value").sum(), pl.col("value").median()
    few = plan.filter(pl.col("key") < 9).join(plan, on="key")
    by_key, of_all, sort = plan.group_by("part").agg(total), plan.select(total), plan.sort("value", "key")
    whole_groups, scaled = plan.group_by("part").agg(median), plan.with_columns(pl.col("value") / total)
    steps = {
        ("lazy.ranks", "collected"): [by_key, of_all, sort, few, whole_groups, scaled],
        ("shared", "mapped"): [whole_groups, of_all, few, scaled],
        ("shared", "from_arrays"): [whole_groups, of_all, few, scaled],
        ("shared", "to_arrays"): [by_key, of_all, few, whole_groups, scaled],
        ("partition", "row_hash"): [whole_groups],
    }
    for (module, function), plans in steps.items():
        for number, each in enumerate(plans):
            with broken(module, function), fails(DeepRCError, "rank 1 of 3 failed", function):
                each.collect()
            assert each.collect().rows() > 0, (function, number)
    with broken("frame", "to_table"), fails(DeepRCError, "rank 1 of 3 failed"):
        of_all.collect().gather()


def different_arguments_are_refused_on_every_rank() -> None:
    frame = mine(pl.DataFrame({"a": range(9), "b": range(9)}))
    odd = COMM.rank == 1
    for work in (
        lambda: frame.sort("b" if odd else "a"),
        lambda: frame.sort("a", descending=odd),
        lambda: frame.join(frame, on="b" if odd else "a"),
        lambda: frame.join(frame, on="a", how="left" if odd else "inner"),
        lambda: frame.groupby("b" if odd else "a").agg({"b": "max"}),
        lambda: frame.groupby("a").agg({"b": "sum" if odd else "max"}),
        lambda: frame.halo(int(odd)),
        lambda: frame.sort("a") if odd else frame.repartition(),
        lambda: frame.rows() if odd else frame.filter(pl.col("a") > 1),
        lambda: frame.gather() if odd else frame.join(frame, on="a"),
        lambda: frame.write_arrow(FOLDER / ("one" if odd else "other")),
        lambda: Frame.read_arrow(FOLDER / ("one" if odd else "other"), COMM),
        lambda: Frame.read_arrow(FOLDER / "one", COMM, columns=["a"] if odd else None),
    ):
        with fails(InputError, "rank 1 does not do what rank 0 does", "same arguments on every rank"):
            work()
    with fails(InputError, "rank 1 of 3 failed", "'c'"):
        frame.sort("c" if odd else "a")
    assert frame.sort("a" if odd else ["a"]).rows() == 9  # the same
    assert frame.rows() == 9


def wrong_arguments_fail_on_every_rank() -> None:
    frame = mine(pl.DataFrame({"key": range(9), "text": ["a"] * 9}))
    near = "did you mean 'key'?"
    with fails(InputError, "'kee'", "key, text", near):
        frame.sort("kee")
    with fails(InputError, "'kee'", "key, text", near):
        frame.groupby("kee").agg({"text": "max"})
    with fails(InputError, "'other'", "key, text"):
        frame.groupby("key").agg({"other": "max"})
    with fails(InputError, "'text'", "mean"):
        frame.groupby("key").agg({"text": "mean"})
    with fails(ConfigError, "'avg'", "n_unique"):
        frame.groupby("key").agg({"key": "avg"})
    with fails(ConfigError, "'outer'", "full"):
        frame.join(frame, on="key", how="outer")
    with fails(InputError, "right frame", "'text'"):
        frame.join(frame.select("key"), on="text")
    with fails(InputError, "'key'", "Int64 (left), Int16 (right)", "cast"):
        frame.join(frame.with_columns(pl.col("key").cast(pl.Int16)), on="key")
    for make in (frame.filter, frame.with_columns, frame.select):
        with fails(InputError, "'kee'", "key, text", near):
            make(pl.col("kee") > 1)
    for work in (
        lambda: frame.sort([]),
        lambda: frame.groupby([]).agg({"key": "max"}),
        lambda: frame.join(frame, on=[]),
    ):
        with fails(InputError, "no column is given", "an empty list"):
            work()
    for spec in ({}, {"key": []}):
        with fails(InputError, "no column is given"):
            frame.groupby("text").agg(spec)
    with fails(InputError, "select: no column is given"):
        frame.select()
    with fails(InputError, "descending", "1 for 2 columns"):
        frame.sort(["key", "text"], descending=[True])
    for wrong in (1, None, "yes", ["no"]):
        with fails(InputError, "descending is no truth value", repr(wrong)):
            frame.sort("key", descending=wrong)
    with fails(ConfigError, "unknown join 'None'"):
        frame.join(frame, on="key", how=None)
    with fails(InputError, "'key'", "every name once"):
        frame.groupby(["key", "key"]).agg({"text": "max"})
    with fails(InputError, "by their names", "Expr"):
        frame.sort(pl.col("key") + 1)
    with fails(InputError, "'key'", "duplicate"):
        frame.select("key", "key")
    with fails(InputError, "'key'", "every name once"):
        Frame.from_arrow(pa.table([[1], [2]], names=["key", "key"]), COMM)
    with fails(InputError, "'text_right'", "suffix="):
        frame.join(frame.with_columns(text_right=pl.lit(1)), on="key")
    with fails(InputError, "'key_sum'", "rename the key"):
        frame.select(pl.col("key"), key_sum=pl.col("text")).groupby("key_sum").agg({"key": "sum"})
    with fails(InputError, "a number of rows"):
        frame.halo(-1)
    with fails(InputError, "'long' cannot be read", "decimal256(50, 2)"):  # Polars panics
        Frame.from_arrow(pa.table({"key": [1], "long": pa.array([None], pa.decimal256(50, 2))}), COMM)
    for path in ("s3://bucket/table", "https://host/table.parquet", Path("gs://bucket/table")):
        for work in (lambda p=path: Frame.read_parquet(p, COMM), lambda p=path: frame.write_parquet(p)):
            with fails(InputError, "mounted file system", "copy the files"):
                work()
    with fails(InputError, "Int128", "'wide'", "Decimal(38, 0)"):
        frame.select(wide=pl.col("key").cast(pl.Int128)).gather()


def an_error_of_one_rank_is_one_of_every_rank() -> None:
    with fails(InputError, "rank 1 of 3 failed: broken here"), COMM.together():
        if COMM.rank == 1:
            raise InputError("broken here")
    with fails(ZeroDivisionError), COMM.together():  # the same on all: passed on as it is
        1 / 0  # noqa: B018


SCENARIOS = scenarios_of(globals(), but=(broken,))
