"""What must hold for lazy frames on several ranks beyond the properties; see `scenarios`."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from random import Random

import polars as pl
from agreeing import COMM, fails, gathered, mine, scenarios_of
from polars.testing import assert_frame_equal
from questions import GROUPBYS, JOINS, groupby_table, join_tables

from deeprc.core.errors import DeepRCError, InputError
from deeprc.frames import Communicator, Frame, LazyFrame, scan_arrow, scan_csv, scan_parquet
from deeprc.frames.lazy import deal, ranks, scan
from deeprc.frames.lazy.forms import AGGREGATES

FOLDER = Path(sys.argv[1])


def same(found: LazyFrame, expected: pl.DataFrame) -> None:
    rows = gathered(found.collect())
    assert rows.schema == expected.schema, (rows.schema, expected.schema)
    assert rows.rows() == expected.rows(), (rows, expected)


def written(name: str) -> Path:
    """A folder that rank 0 has made."""
    folder = FOLDER / name
    if COMM.rank == 0:
        folder.mkdir()
    COMM.barrier()
    return folder


def a_failure_on_one_rank_of_a_plan_is_one_on_every_rank() -> None:
    frame = mine(pl.DataFrame({"text": ["1", "2", "3", "4", "5", "x"]})).lazy()
    plan = frame.with_columns(pl.col("text").cast(pl.Int64))
    for end in (plan, plan.group_by("text").len(), plan.sort("text"), plan.join(plan, on="text"), plan.head(9)):
        with fails(DeepRCError, "rank 2 of 3 failed", "conversion from `str` to `i64` failed"):
            end.collect()


def other_plans_on_a_rank_are_noticed() -> None:
    frame = mine(pl.DataFrame({"x": [1, 2, 3]})).lazy()
    with fails(InputError, "rank 1 does not do what rank 0 does", "> (dyn int: 1)"):
        frame.filter(pl.col("x") > COMM.rank % 2).collect()


def what_does_not_fit_on_one_rank_is_refused() -> None:
    before, ranks.GATHER_BYTES = ranks.GATHER_BYTES, 100
    plan = mine(pl.DataFrame({"x": range(30)})).lazy().with_columns(y=pl.col("x").cum_sum())
    try:
        with fails(InputError, "cumsum: all rows would have to be on one rank", "240 B in 30 rows", "at most 100 B"):
            plan.collect()
    finally:
        ranks.GATHER_BYTES = before
    assert gathered(plan.collect())["y"][-1] == 435


def a_scan_reads_its_rank_s_row_groups() -> None:
    before, scan.SMALL_BYTES = scan.SMALL_BYTES, 0
    table = pl.DataFrame({"x": range(1000), "text": [str(x) for x in range(1000)]})
    folder = written("lazy-groups")
    if COMM.rank == 0:
        table[:700].write_parquet(folder / "a.parquet", row_group_size=100)
        table[700:].write_parquet(folder / "b.parquet", row_group_size=50)
        table.write_ipc(FOLDER / "lazy-groups.arrow", compression="uncompressed", record_batch_size=90)
    COMM.barrier()
    try:
        for plan in (scan_parquet(folder, COMM), scan_arrow(FOLDER / "lazy-groups.arrow", COMM)):
            heights = COMM.allgather(plan.collect().local.height)
            assert min(heights) > 250, heights
            same(plan, table)
            same(plan.filter(pl.col("x") % 7 == 1).select("text"), table.filter(pl.col("x") % 7 == 1).select("text"))
            same(plan.select(pl.len(), pl.col("x").sum()), table.select(pl.len(), pl.col("x").sum()))
    finally:
        scan.SMALL_BYTES = before


def files_in_the_order_of_a_key_are_dealt_by_its_ranges() -> None:
    """Joins and groups on the key send nothing, whatever the row groups share with each other."""
    random, folder = Random(5), written("lazy-ranges")
    for number, kind in enumerate([pl.Int64, pl.Int8, pl.UInt32, pl.Date]):
        spread = random.choice([1, 3])  # a key may reach over many row groups
        lengths = (500, 90 if number else 500)  # of tables of as many rows, either may be the first
        keys = [sorted(random.choices(range(60 * spread, 120 * spread, spread), k=n)) for n in lengths]
        keys[1] = [key + 3 * spread for key in keys[1]]
        left, right = (
            pl.DataFrame({"k": key, "x": random.choices(range(9), k=len(key))}).with_columns(pl.col("k").cast(kind))
            for key in (keys if kind != pl.Int8 else [[key % 100 - 40 for key in each] for each in keys])
        )
        left, right = left.sort("k"), right.sort("k")
        if COMM.rank == 0:
            left[:333].write_parquet(folder / f"left-{number}-a.parquet", row_group_size=20)
            left[333:].write_parquet(folder / f"left-{number}-b.parquet", row_group_size=31)
            right.write_parquet(folder / f"right-{number}.parquet", row_group_size=15)
        COMM.barrier()
        a, b = (scan_parquet(folder / f"{side}-{number}*", COMM) for side in ("left", "right"))
        before, scan.SMALL_BYTES = scan.SMALL_BYTES, 0
        try:
            for how in ("inner", "left", "right", "full", "semi", "anti"):
                plan = a.filter(pl.col("x") > 1).join(b, on="k", how=how)
                assert plan.explain().count("by ranges of k") == 2 and "EXCHANGE" not in plan.explain()
                expected = left.filter(pl.col("x") > 1).join(right, on="k", how=how)
                alike(f"{how} {kind}", plan, expected)
            alike(
                "other key",
                a.join(b.filter(pl.col("x") > 7), on="x").select("k", "x"),
                left.join(right.filter(pl.col("x") > 7), on="x").select("k", "x"),
            )
            alike("in a group", a.group_by("k").agg(pl.col("x").median()), left.group_by("k").agg(pl.col("x").median()))
            few = b.unique("k").with_columns(x=pl.col("x") % 2).join(a.unique("x", keep="any").select("x"), on="x")
            alike("then by hash", few.select("k"), right.unique("k").select("k"))
            same(a.filter(pl.col("x") == 3), left.filter(pl.col("x") == 3))  # in order: not dealt by ranges
            heights = COMM.allgather(a.select("k").group_by("k").len().collect().local["len"].sum())
            assert max(heights) < 260, heights
        finally:
            scan.SMALL_BYTES = before


def folders_stand_for_columns() -> None:
    root = written("lazy-parted")
    days = [dt.date(2024, 1, 1), dt.date(2024, 2, 29)]
    if COMM.rank == 0:
        for year in (7, 12, "__HIVE_DEFAULT_PARTITION__"):
            for day in days:
                folder = root / f"year={year}" / f"day={day}" / "place=a%20b"
                folder.mkdir(parents=True)
                pl.DataFrame({"x": [1, 2]}).write_parquet(folder / "part.parquet")
    COMM.barrier()
    plan = scan_parquet(root, COMM)
    table = gathered(plan.collect())
    assert table.schema == {"x": pl.Int64, "year": pl.Int64, "day": pl.Date, "place": pl.String}
    assert table.height == 12 and set(table["place"]) == {"a b"} and table["year"].null_count() == 4
    kept = plan.filter(pl.col("year") > 7, pl.col("day") == days[1], pl.col("x") == 2)
    assert "(1 files)" in kept.explain()
    assert gathered(kept.collect()).rows() == [(2, 12, days[1], "a b")]
    assert gathered(plan.filter(pl.col("year") > 99).collect()).height == 0
    same(plan.filter(pl.col("year").is_null()).select(pl.len()), pl.DataFrame({"len": [4]}, schema={"len": pl.UInt32}))
    if COMM.rank == 0:
        pl.DataFrame({"x": [1]}).write_parquet(root / "year=7" / "stray.parquet")
    COMM.barrier()
    with fails(InputError, "the folders are not parted alike", "stray.parquet", "year/day/place"):
        scan_parquet(root, COMM)


def a_table_is_dealt_by_lines_of_text() -> None:
    table = pl.DataFrame({"x": range(500), "name": [f"n{x % 37}" * (x % 5) for x in range(500)], "y": [0.5] * 500})
    table = table.with_columns(name=pl.when(pl.col("name") != "").then("name"))
    folder = written("lazy-text")
    if COMM.rank == 0:
        table[:400].write_csv(folder / "a.csv")
        table[400:].write_csv(folder / "b.csv", line_terminator="\r\n")
        table.write_csv(FOLDER / "lazy-quoted.csv", quote_style="always", null_value="NA", separator=";")
    COMM.barrier()
    plan = scan_csv(folder, COMM)
    assert min(COMM.allgather(plan.collect().local.height)) > 100
    same(plan, table)
    # Lines may end within quotes: the file is read by one rank.
    options = {"separator": ";", "null_values": "NA", "schema_overrides": {"x": pl.Int32}}
    quoted = scan_csv(FOLDER / "lazy-quoted.csv", COMM, **options)
    assert COMM.allgather(quoted.collect().local.height) == [500, 0, 0]
    same(quoted, pl.read_csv(FOLDER / "lazy-quoted.csv", **options))
    same(
        plan.group_by("name").agg(pl.col("x").sum()).sort("name"),
        table.group_by("name").agg(pl.col("x").sum()).sort("name"),
    )
    with fails(InputError, "scan_csv has no option 'seperator'", "did you mean 'separator'?"):
        scan_csv(folder, COMM, seperator=";")


def the_questions_of_db_benchmark_have_polars_answers() -> None:
    table = groupby_table(6000, 20)
    for name, question in GROUPBYS.items():
        alike(name, question(mine(table).lazy()), question(table.lazy()).collect())
    left, right = join_tables(6000)
    for name, question in JOINS.items():
        found = question(mine(left).lazy(), [mine(each).lazy() for each in right])
        alike(name, found, question(left.lazy(), [each.lazy() for each in right]).collect())


def alike(name: str, found: LazyFrame, expected: pl.DataFrame) -> None:
    """The same rows in any order, floats to nine digits."""
    rows = gathered(found.collect())
    assert rows.height > 1, name
    assert_frame_equal(rows, expected, check_row_order=False, check_exact=False, rel_tol=1e-9)


def what_is_left_to_chance_is_the_same_on_every_rank() -> None:
    file = FOLDER / "lazy-small.parquet"  # read by every rank
    if COMM.rank == 0:
        pl.DataFrame({"x": range(40), "k": [0, 1] * 20}).write_parquet(file)
    COMM.barrier()
    small, many = scan_parquet(file, COMM), mine(pl.DataFrame({"x": list(range(40)) * 9})).lazy()
    drawn = small.select("x", r=pl.col("x").shuffle())
    together = many.join(drawn, on="x").group_by("x").agg(pl.col("r").n_unique())
    assert set(gathered(together.collect())["r"]) == {1}
    few = small.group_by("k").agg(r=pl.col("x").sample(1).first()).select("r")
    assert gathered(many.join(few, left_on="x", right_on="r", how="semi").unique().collect()).height == 2


def a_plan_is_written_as_a_folder() -> None:
    plan = mine(pl.DataFrame({"x": range(9)})).lazy().filter(pl.col("x") > 3)
    plan.sink_parquet(FOLDER / "lazy-sunk")
    same(scan_parquet(FOLDER / "lazy-sunk", COMM), pl.DataFrame({"x": range(4, 9)}))


def aggregates_of_all_columns_are_polars() -> None:
    dates = [dt.date(2024, 1, day) for day in range(1, 31)]
    table = pl.DataFrame({"x": range(30), "y": [0.5, None, 2.0] * 10, "text": ["a", "b", None] * 10, "day": dates})
    table = table.with_columns(truth=pl.col("x") > 3, list=pl.concat_list("x"))
    plan = mine(table).lazy()
    for name in AGGREGATES:
        arguments = (0.3,) if name == "quantile" else ()
        expected = getattr(table.lazy(), name)(*arguments).collect()
        found = gathered(getattr(plan, name)(*arguments).collect())
        assert_frame_equal(found, expected, check_exact=False, rel_tol=1e-12)
        plain = getattr(plan.select("x", "y", "truth", "text"), name)(*arguments)
        assert_frame_equal(gathered(plain.collect()), expected.select("x", "y", "truth", "text"), rel_tol=1e-12)
    same(plan.select(pl.col("y").median()), table.select(pl.col("y").median()))  # one row, not one of each rank
    counts = plan.select(pl.col("text").value_counts(sort=True).struct.unnest())
    alike("value_counts", counts, table.select(pl.col("text").value_counts(sort=True).struct.unnest()))
    assert_frame_equal(plan.describe(), table.lazy().describe())
    assert_frame_equal(plan.describe(percentiles=None), table.lazy().describe(percentiles=None))


def a_sample_does_not_depend_on_the_ranks() -> None:
    table = pl.DataFrame({"x": range(1000)})
    plan = mine(table).lazy()
    drawn = gathered(plan.sample(100, seed=7).collect())["x"]
    assert drawn.is_sorted() and drawn.n_unique() == 100 and 350 < drawn.mean() < 650
    alone = Communicator(COMM.comm.Split(COMM.rank, 0))
    assert Frame(table, alone).lazy().sample(100, seed=7).collect().local["x"].to_list() == drawn.to_list()
    assert gathered(plan.sample(100, seed=8).collect())["x"].to_list() != drawn.to_list()
    assert gathered(plan.sample(fraction=0.25).collect()).height == 250
    with fails(InputError, "more rows are drawn than there are", "at most 1000"):
        plan.sample(1001).collect()
    with fails(InputError, "with_replacement=True does not run over ranks"):
        plan.sample(3, with_replacement=True)


def a_folder_is_parted_by_columns() -> None:
    table = pl.DataFrame({"year": [2013, 2014, None] * 20, "place": ["a b", "c/d=e", "ü"] * 20, "x": range(60)})
    folder = FOLDER / "lazy-parted-sunk"
    plan = mine(table).lazy()
    plan.sink_parquet(folder, partition_by=["year", "place"])
    back = scan_parquet(folder, COMM)
    alike("parted", back.select("year", "place", "x"), table)
    assert "(1 files)" not in back.explain() and back.filter(pl.col("year") == 2013).explain().count("(3 files)") == 1
    with fails(InputError, "column 'y' cannot stand in the names of folders", "Float64"):
        plan.with_columns(y=0.5).sink_parquet(folder, partition_by="y")
    with fails(InputError, "did you mean 'place'?"):
        plan.sink_parquet(folder, partition_by="plac")
    alike("left as it was", back.select("year", "place", "x"), table)


def a_side_of_an_asof_join_goes_where_it_is_cheap() -> None:
    random = Random(3)
    left = pl.DataFrame({"t": sorted(random.choices(range(400), k=300)), "k": random.choices("abc", k=300)})
    right = pl.DataFrame({"t": sorted(random.sample(range(400), k=200)), "k": random.choices("abc", k=200)})
    right = right.with_columns(value=pl.col("t") * 3)
    options = {"on": "t", "tolerance": 9}
    spread = deal.SPREAD_BYTES
    for most, by, told in (
        (spread, "k", "to every rank"),
        (0, "k", "by k"),
        (spread, None, "to every"),
        (0, None, "0"),
    ):
        deal.SPREAD_BYTES = most
        try:
            plan = mine(left).lazy().join_asof(mine(right).lazy(), by=by, **options)
            assert told in plan.explain(), plan.explain()
            same(plan, left.join_asof(right, by=by, **options))
        finally:
            deal.SPREAD_BYTES = spread
    with fails(InputError, "did you mean 'tolerance'?"):
        mine(left).lazy().join_asof(mine(right).lazy(), on="t", tolerence=9)


def measured_sizes_are_told_after_a_run() -> None:
    plan = mine(pl.DataFrame({"k": [1, 2, 3] * 3, "x": range(9)})).lazy().group_by("k").agg(pl.col("x").sum())
    with fails(InputError, "nothing is measured yet"):
        plan.explain(measured=True)
    assert "~" in plan.explain()
    plan.collect()
    told = plan.explain(measured=True)
    assert "EXCHANGE to rank 0 (partial results)  (sends 96 B, 9 rows)" in told, told


SCENARIOS = scenarios_of(globals(), but=(same, written, alike))
