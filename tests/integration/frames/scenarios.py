"""What must hold on several ranks beyond the properties; every function is run by every rank, in order.

`mpiexec -n 3 python scenarios.py FOLDER` prints the name of each that held; the first failure ends the ranks.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from decimal import Decimal
from itertools import chain
from pathlib import Path

import failing_scenarios
import file_scenarios
import grouped_scenarios
import lazy_scenarios
import meaning_scenarios
import numpy as np
import polars as pl
import tensor_scenarios
from agreeing import COMM, fails, gathered, mine, scenarios_of
from polars.testing import assert_frame_equal

from deeprc.core.errors import InputError
from deeprc.frames import Frame, communicator, topology

FOLDER = Path(sys.argv[1])


def columns_may_have_any_name() -> None:
    odd = ["last", "row", "code", "seen", "", "0", "*", "^a.*$", "k0", "l0", "__sum__*", "count", "bin", "whole"]
    table = pl.DataFrame({name: pl.Series([3, 1, 2, 1, None, 3]) + index for index, name in enumerate(odd)})
    plain = pl.DataFrame({f"c{index}": table[name] for index, name in enumerate(odd)})
    aggregates = ["sum", "mean", "var", "median", "first", "last"]

    def named(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
        frame.columns = columns
        return frame

    for index, name in enumerate(odd):
        key = f"c{index}"
        for kind in (pl.Int64, pl.String):
            ours, theirs = (df.with_columns(df[column].cast(kind)) for df, column in ((table, name), (plain, key)))
            expected = named(theirs.sort(key, maintain_order=True), odd)
            assert gathered(mine(ours).sort(name)).equals(expected), name
        other = odd[index - 1]
        found = gathered(mine(table).groupby(name).agg({other: aggregates}).sort(name))
        value = pl.col(plain.columns[index - 1])
        expected = plain.group_by(key).agg(getattr(value, a)().alias(a) for a in aggregates).sort(key)
        assert found.equals(named(expected, [name, *(f"{other}_{a}" for a in aggregates)])), name
        found = gathered(mine(table).join(mine(table), on=name, how="full", suffix="!").sort(name))
        expected = plain.join(plain, on=key, how="full", suffix="!").sort(key)
        found, expected = (
            df.sort(df.columns[:2], maintain_order=True) for df in (named(found, expected.columns), expected)
        )
        assert found.select(expected.columns).equals(expected), name


def messages_arrive_whole_in_pieces_of_any_size() -> None:
    random = np.random.default_rng(7)
    counts = random.integers(0, 40, (COMM.size, COMM.size))
    counts[0, 1] = counts[2, 2] = 0
    for dtype in (np.uint8, np.uint16, np.uint64):
        messages = [[random.integers(0, 200, count).astype(dtype) for count in row] for row in counts]
        expected = np.concatenate([messages[source][COMM.rank] for source in range(COMM.size)])
        for communicator.PIECE in (1, 7, 64, 2**30):
            values = np.concatenate(messages[COMM.rank])
            in_pieces = COMM.needs_pieces(max(values.nbytes, expected.nbytes))
            assert in_pieces == (communicator.PIECE < 2**30)
            found = COMM.alltoallv(values, counts[COMM.rank], counts[:, COMM.rank], in_pieces)
            assert found.dtype == dtype and found.tolist() == expected.tolist()


def an_exchange_over_nodes_is_in_pieces_of_any_size() -> None:
    """Of nodes of two ranks and one; all that a node has for another one is a message, if that is not large."""
    usual, os.environ[topology.MADE_UP] = COMM.topology, "2"
    COMM.topology = topology.find(COMM.comm)
    del os.environ[topology.MADE_UP]
    assert COMM.topology.way == topology.TWO_LEVELS and COMM.topology.nodes == [[0, 1], [2]]
    table = pl.DataFrame({"key": range(300), "text": [f"{n} " * (n % 5) if n % 7 else None for n in range(300)]})
    table = table.with_columns(list=pl.concat_list("key", pl.lit(None)), number=pl.col("key").cast(pl.Int128))
    # rank 1 speaks for its node with the other, and tells of sizes before it sends rows.
    for communicator.PIECE, pieces in ((2**30, 1), (100, 9)):
        traffic = COMM.topology.traffic
        before = traffic.messages
        found = gathered(mine(table.reverse()).sort("key"))
        assert found.equals(table)
        told = COMM.allgather(traffic.messages - before)
        assert told[0] == 0 and (told[1] == told[2] == 2 if pieces == 1 else min(told[1:]) > pieces), told
    communicator.PIECE = 2**30
    COMM.topology = usual


def a_segment_goes_with_the_rows_in_it() -> None:
    """Neither a file nor a mapping of shared memory stays, when an exchange is done and its rows are gone."""

    def segments() -> int:
        gc.collect()
        opened = [file.resolve().name for file in Path("/proc/self/fd").iterdir()]
        mapped = Path("/proc/self/maps").read_text().splitlines()
        return sum("memfd:deeprc-frames" in line for line in [*opened, *mapped])

    before = segments()
    held = mine(pl.DataFrame({"key": range(50_000)})).filter(pl.lit(COMM.rank == 0)).repartition()
    assert segments() == before + (COMM.rank > 0)  # read in place, with no file open
    order = mine(pl.DataFrame({"key": range(50_000)[::-1], "value": range(50_000)})).sort("key")
    assert held.join(order, on="key").rows() == held.rows() > 0
    del held, order
    assert segments() == before


def groups_of_joined_rows_stay_where_they_are() -> None:
    """By the key of the join, and others; but not where rows without a key are on several ranks."""
    table = pl.DataFrame({"key": [*range(20), None, None, None] * 9, "part": [1, 2, 3] * 69, "value": range(207)})
    other = pl.DataFrame({"key": range(0, 40, 2), "more": range(20)})
    for how, sends in (("inner", False), ("semi", False), ("left", True), ("full", True)):
        joined = mine(table).join(mine(other), on="key", how=how).filter(pl.col("value") != 7)
        plain = table.join(other, on="key", how=how).filter(pl.col("value") != 7)
        before = COMM.topology.traffic.shared
        found = joined.groupby(["key", "part"]).agg({"value": ["sum", "var", "median", "len"]})
        assert (
            COMM.allreduce(COMM.topology.traffic.shared - before, "max") > 0
            if sends
            else (COMM.topology.traffic.shared == before)
        )
        value = pl.col("value")
        expected = plain.group_by("key", "part").agg(
            value.sum().alias("value_sum"),
            value.var().alias("value_var"),
            value.median().alias("value_median"),
            pl.len().cast(pl.Int64).alias("value_len"),
        )
        assert gathered(found.sort(["key", "part"])).equals(expected.sort("key", "part")), how


def sums_before_a_rank_and_over_all() -> None:
    assert COMM.exscan(COMM.rank + 1) == sum(range(1, COMM.rank + 1))
    assert COMM.exscan(np.array([1, 10])).tolist() == [COMM.rank, 10 * COMM.rank]
    assert (COMM.allreduce(COMM.rank), COMM.allreduce(COMM.rank, "min"), COMM.allreduce(COMM.rank, "max")) == (3, 0, 2)


def a_single_key_is_sorted_onto_all_ranks_evenly() -> None:
    for key in (["same"], [4.5]):  # by comparison, and by codes
        frame = mine(pl.DataFrame({"key": key * 3000, "row": range(3000)})).sort("key")
        assert frame.to_polars().height == 1000
        assert gathered(frame)["row"].to_list() == list(range(3000))


def a_sort_balances_heavy_keys() -> None:
    random = np.random.default_rng(3)
    keys = np.where(random.random(30_000) < 0.5, 5, random.integers(0, 10**12, 30_000))
    for cast in (pl.Int64, pl.String):
        table = pl.DataFrame({"key": pl.Series(keys).cast(cast), "row": np.arange(30_000)})
        frame = mine(table).sort("key", descending=True)
        assert max(COMM.allgather(frame.to_polars().height)) < 16_000
        assert gathered(frame).equals(table.sort("key", descending=True, maintain_order=True))


def a_sort_by_nulls_alone_keeps_the_order() -> None:
    table = pl.DataFrame({"nothing": [None] * 9, "text": pl.Series([None] * 9, dtype=pl.String), "row": range(9)})
    for by in ("nothing", "text", ["nothing", "text"]):
        assert gathered(mine(table).sort(by, descending=True))["row"].to_list() == list(range(9))
    assert gathered(mine(table).sort(["nothing", "row"], descending=[False, True]))["row"].to_list()[0] == 8
    found = gathered(mine(table).groupby("nothing").agg({"text": "count", "nothing": ["len", "sum"]}))
    assert found.rows() == [(None, 0, 9, None)]


def sums_beyond_a_decimal_are_refused() -> None:
    large = pl.Series([Decimal(9 * 10**37)] * 3, dtype=pl.Decimal(38, 0))
    with fails(InputError, "price_sum", "38 digits", "Float64"):
        mine(pl.DataFrame({"key": [1, 1, 2], "price": large})).groupby("key").agg({"price": "sum"})
    found = gathered(mine(pl.DataFrame({"key": [1, 2, 3], "price": large})).groupby("key").agg({"price": "sum"}))
    assert found["price_sum"].to_list() == large.to_list()


def sums_of_small_types_do_not_overflow() -> None:
    for function in ("median", "n_unique"):  # for these all rows travel
        table = pl.DataFrame({"key": ["a"] * 30, "value": pl.Series([2**31 - 1] * 30, dtype=pl.Int32)})
        found = gathered(mine(table).groupby("key").agg({"value": ["sum", function]}))
        assert found["value_sum"].to_list() == [30 * (2**31 - 1)]
    table = pl.DataFrame({"key": ["a"] * 30, "value": pl.Series([2**31 - 1] * 30, dtype=pl.Int32)})
    found = gathered(mine(table).groupby("key").agg({"value": ["sum", "count"]}))
    assert found.rows() == [("a", 30 * (2**31 - 1), 30)]


def a_sort_of_other_types_falls_back_to_comparison() -> None:
    table = pl.DataFrame({"key": [[3], [1, 2], None, [1]], "row": range(4)}).with_columns(
        pair=pl.struct(a=pl.col("row") % 2)
    )
    assert gathered(mine(table).sort(["pair", "row"]))["row"].to_list() == [0, 2, 1, 3]


def all_ranks_hash_alike() -> None:
    from deeprc.frames.partition import row_hash

    # Other entries first, so that equal words have other dictionary codes on each rank.
    first = pl.Series(["z"] * COMM.rank + ["x", "y"], dtype=pl.Categorical)
    table = pl.DataFrame({"word": first, "text": first.cast(pl.String), "number": 3}).tail(2)
    for on in (["word"], ["text"], ["number"], ["word", "number"]):
        hashes = COMM.allgather(row_hash(table, on).tolist())
        assert hashes == [hashes[0]] * COMM.size


def dictionaries_in_lists_and_structs_meet() -> None:
    first = pl.Series([f"only rank {COMM.rank}"] * (COMM.rank + 1) + ["x", "y"][:: 1 - 2 * (COMM.rank % 2)])
    word = first.cast(pl.Categorical).tail(2)  # other codes on each rank
    for nested in (pl.concat_list("word"), pl.struct(a=pl.concat_list("word")), pl.concat_list(pl.struct(a="word"))):
        table = pl.DataFrame({"word": word}).select(key=nested)
        frame = Frame(table, COMM)
        groups = frame.groupby("key").agg({"key": "len"})
        assert groups.schema["key"] == table.schema["key"]
        assert gathered(groups)["key_len"].to_list() == [COMM.size] * 2
        assert frame.join(frame, on="key").rows() == 2 * COMM.size**2
        assert Frame(table.head(2 * (COMM.rank == 1)), COMM).groupby("key").agg({"key": "len"}).rows() == 2


def deviations_of_a_plan_are_made_of_those_of_parts() -> None:
    random = np.random.default_rng(5)
    table = pl.DataFrame(
        {
            "key": random.integers(0, 300, 3000),
            "far": random.normal(1e6, 1, 3000),
            "small": random.integers(-5, 5, 3000, np.int8),
            "odd": np.where(random.random(3000) < 0.1, np.nan, 1.5).astype(np.float32),
        }
    ).with_columns(
        far=pl.when(pl.col("key") % 7 > 0).then("far"), none=pl.lit(None, pl.Float64), truth=pl.col("small") > 0
    )
    far, small = pl.col("far"), pl.col("small")
    columns = [far, small, pl.col("odd"), pl.col("none"), pl.col("truth")]
    made = [each.std(ddof=ddof).name.suffix(f" {ddof}") for each in columns for ddof in (0, 1, 2)]
    made += [far.var().alias("var"), far.filter(small > 2).std().alias("some"), (far.std() / far.mean()).alias("ratio")]
    plan = mine(table).lazy()
    assert "PARTIAL AGGREGATE" in plan.group_by("key").agg(made).explain()
    by_key = gathered(plan.group_by("key").agg(made).sort("key").collect())
    assert_frame_equal(by_key, table.group_by("key").agg(made).sort("key"), rel_tol=1e-6)
    assert_frame_equal(gathered(plan.select(made).collect()), table.select(made), rel_tol=1e-9)
    scaled = (small - small.mean()) / small.std()
    assert_frame_equal(gathered(plan.select("key", scaled).collect()), table.select("key", scaled), rel_tol=1e-9)


def windows_of_time_of_a_plan_are_polars() -> None:
    hours = pl.datetime_range(pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 20), "1h", eager=True)
    table = pl.DataFrame({"time": hours, "site": np.arange(len(hours)) % 4, "value": np.arange(len(hours)) ** 2 % 97})
    plan, value = mine(table).lazy(), pl.col("value")
    for method, options in (
        ("group_by_dynamic", {"every": "1d", "closed": "left"}),
        ("group_by_dynamic", {"every": "12h", "period": "2d", "include_boundaries": True}),
        ("rolling", {"period": "3d"}),
    ):
        for by in (None, "site"):
            alike = [
                getattr(rows, method)("time", group_by=by, **options).agg(value.sum(), value.median().alias("median"))
                for rows in (plan, table.lazy())
            ]
            order = ["site", "time"] if by else ["time"]
            assert_frame_equal(gathered(alike[0].sort(order).collect()), alike[1].sort(order).collect())


SCENARIOS = scenarios_of(globals(), but=())
PARTS = failing_scenarios, file_scenarios, grouped_scenarios, lazy_scenarios, meaning_scenarios, tensor_scenarios


def main() -> None:
    for scenario in chain(SCENARIOS, *(part.SCENARIOS for part in PARTS)):
        try:
            scenario()
        except BaseException:
            print(f"{scenario.__name__} on rank {COMM.rank}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            COMM.comm.Abort(1)  # the others may wait for this rank
        COMM.barrier()
        if COMM.rank == 0:
            print(scenario.__name__, flush=True)


if __name__ == "__main__":
    main()
