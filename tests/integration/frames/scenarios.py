"""What must hold on several ranks beyond the properties; every function is run by every rank, in order.

`mpiexec -n 3 python scenarios.py FOLDER` prints the name of each that held; the first failure ends the ranks.
"""

from __future__ import annotations

import importlib
import resource
import sys
import traceback
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import lazy_scenarios
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from agreeing import COMM, fails, gathered, mine

from deeprc.core.errors import ConfigError, DeepRCError, InputError
from deeprc.core.files import StorageError
from deeprc.frames import Frame, communicator
from deeprc.frames.shuffle import SchemaError

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
        ("sort", "_last_equal"): [lambda: text.sort("text")],
        ("sort", "_cut"): [lambda: text.sort("text")],
        ("join", "local_join"): [join],
        ("partition", "row_hash"): [join, group],
        ("partition", "_by_rank"): [join, sort, group],
        ("shuffle", "to_arrays"): [join, sort, group, frame.repartition],
        ("shuffle", "_messages"): [join, frame.repartition],
        ("shuffle", "from_arrays"): [join, sort, group, frame.repartition],
        ("shuffle", "_joined"): [join, frame.repartition],
        ("groupby", "reduce_groups"): [group],
        ("groupby", "partial_sums"): [group],
        ("groupby", "variances"): [group],
        ("groupby", "expression"): [lambda: number.groupby("key").agg({"value": ["sum", "median"]})],
        ("frame", "to_table"): [frame.gather],
        ("io", "to_table"): [lambda: frame.write_parquet(FOLDER / "none"), lambda: frame.write_arrow(FOLDER / "none")],
    }
    for (module, function), works in steps.items():
        for work in works:
            with broken(module, function), fails(DeepRCError, "rank 1 of 3 failed", f"no memory for {function}"):
                work()
    assert not (FOLDER / "none").exists()
    assert frame.rows() == 90  # all ranks are still at the same point


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


def an_error_of_one_rank_is_one_of_every_rank() -> None:
    with fails(InputError, "rank 1 of 3 failed: broken here"), COMM.together():
        if COMM.rank == 1:
            raise InputError("broken here")
    with fails(ZeroDivisionError), COMM.together():  # the same on all: passed on as it is
        1 / 0  # noqa: B018


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


def row_groups_are_dealt_in_order() -> None:
    folder = FOLDER / "groups"
    if COMM.rank == 0:
        folder.mkdir()
        for file, (start, stop) in enumerate([(0, 50), (50, 50), (50, 90), (90, 100)]):
            table = pl.DataFrame({"row": range(start, stop), "x": 1.0}, {"row": pl.Int64, "x": pl.Float64})
            pq.write_table(table.to_arrow(), folder / f"{file}.parquet", row_group_size=10)
    COMM.barrier()
    for path in (folder, folder / "*.parquet", folder / "[0-3].parquet"):
        frame = Frame.read_parquet(path, COMM)
        assert COMM.allgather(frame.to_polars().height) == [30, 40, 30]
        assert gathered(frame)["row"].to_list() == list(range(100))
    # Fewer row groups than ranks: a rank goes without.
    frame = Frame.read_parquet(folder / "3.parquet", COMM, columns=["row"])
    assert sorted(COMM.allgather(frame.to_polars().height)) == [0, 0, 10]
    assert frame.columns == ["row"]
    assert Frame.read_parquet(folder / "1.parquet", COMM).rows() == 0


def files_of_others_beside_the_data_are_not_read() -> None:
    folder = FOLDER / "groups"
    if COMM.rank == 0:
        for name in ("._0.parquet", ".1.parquet.crc", "_SUCCESS", "_metadata"):
            (folder / name).write_bytes(b"\x00\x05\x16\x07")
    COMM.barrier()
    for path in (folder, folder / "*.parquet", folder / "*", FOLDER / "g*" / "*.parquet"):
        assert Frame.read_parquet(path, COMM).rows() == 100
    with fails(InputError, "._0.parquet", "cannot read"):
        Frame.read_parquet(folder / "._0.parquet", COMM)


def whether_fields_may_be_null_makes_no_difference() -> None:
    folder = FOLDER / "nullable"
    if COMM.rank == 0:
        folder.mkdir()
        for index, nullable in enumerate((True, False)):
            schema = pa.schema([pa.field("a", pa.int64(), nullable), pa.field("b", pa.string(), nullable)])
            pq.write_table(pa.table({"a": [index], "b": ["x"]}, schema=schema), folder / f"{index}.parquet")
    COMM.barrier()
    assert gathered(Frame.read_parquet(folder, COMM))["a"].to_list() == [0, 1]
    schema = pa.schema([pa.field("a", pa.int64(), COMM.rank == 1)])
    assert Frame.from_arrow(pa.table({"a": [1]}, schema=schema), COMM).rows() == 3


def folders_that_stand_for_columns_are_refused() -> None:
    folder = FOLDER / "hive"
    if COMM.rank == 0:
        for value in (1, 2):
            (folder / f"k={value}").mkdir(parents=True)
            pq.write_table(pa.table({"a": [value]}), folder / f"k={value}" / "part.parquet")
    COMM.barrier()
    for path in (folder, folder / "*" / "*.parquet", folder / "k=*" / "*.parquet"):
        with fails(InputError, "parted by 'k'", "k=1, k=2", "with_columns"):
            Frame.read_parquet(path, COMM)
    assert Frame.read_parquet(folder / "k=1", COMM).rows() == 1
    with fails(InputError, "no such file", "nothing.parquet", "k=1, k=2 in"):
        Frame.read_parquet(folder / "nothing.parquet", COMM)


def a_file_that_one_rank_cannot_read_fails_on_every_rank() -> None:
    def unreadable(file: Path) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    whole = pq.ParquetFile
    if COMM.rank == 1:
        pq.ParquetFile = unreadable
    try:
        with fails(InputError, "rank 1 of 3 failed", "0.parquet", "Permission denied"):
            Frame.read_parquet(FOLDER / "groups", COMM)
    finally:
        pq.ParquetFile = whole


def unreadable_files_fail_on_every_rank() -> None:
    with fails(DeepRCError, "nowhere"):
        Frame.read_parquet(FOLDER / "nowhere" / "*.parquet", COMM)
    with fails(InputError, "3.parquet", "'rwo'", "row, x", "did you mean 'row'?"):
        Frame.read_parquet(FOLDER / "groups" / "3.parquet", COMM, columns=["rwo"])
    with fails(InputError, "no column is given"):
        Frame.read_parquet(FOLDER / "groups" / "3.parquet", COMM, columns=[])
    folder = FOLDER / "mixed"
    if COMM.rank == 0:
        folder.mkdir()
        pq.write_table(pa.table({"a": [1]}), folder / "0.parquet")
        pq.write_table(pa.table({"a": ["text"]}), folder / "1.parquet")
    COMM.barrier()
    with fails(DeepRCError, "1.parquet", "a: Int64", "a: String"):
        Frame.read_parquet(folder, COMM)
    if COMM.rank == 0:
        (folder / "1.parquet").write_text("no parquet")
    COMM.barrier()
    with fails(DeepRCError, "1.parquet", "cannot read"):
        Frame.read_parquet(folder, COMM)


def a_failing_rank_leaves_the_old_folder() -> None:
    folder = FOLDER / "table.arrow"
    mine(pl.DataFrame({"row": range(9)})).write_arrow(folder)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    if COMM.rank == 1:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))  # its file may not grow beyond: a full disk, nearly
    try:
        with fails(DeepRCError, "rank 1 of 3 failed", "File too large"):
            mine(pl.DataFrame({"row": range(90_000)})).write_arrow(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    COMM.barrier()
    assert gathered(Frame.read_arrow(folder, COMM))["row"].to_list() == list(range(9))
    assert not list(FOLDER.glob(".table.arrow*"))


def a_written_folder_replaces_the_old_one() -> None:
    for rows in (9, 4):
        mine(pl.DataFrame({"row": range(rows)})).write_arrow(FOLDER / "replaced.arrow")
    assert sorted(file.name for file in (FOLDER / "replaced.arrow").iterdir()) == [
        f"part-0000{rank}.arrow" for rank in range(3)
    ]
    assert gathered(Frame.read_arrow(FOLDER / "replaced.arrow", COMM))["row"].to_list() == [0, 1, 2, 3]
    before = pa.total_allocated_bytes()
    mapped = pa.ipc.open_file(pa.memory_map(str(FOLDER / "replaced.arrow" / "part-00002.arrow"))).read_all()
    assert pa.total_allocated_bytes() == before  # not compressed: the pages of the file are the columns
    assert mapped["row"].to_pylist() == [2, 3]


def a_folder_that_cannot_be_made_fails_on_every_rank() -> None:
    (FOLDER / "file").touch()
    COMM.barrier()
    with fails((DeepRCError, StorageError, OSError), "file"):
        mine(pl.DataFrame({"row": range(9)})).write_arrow(FOLDER / "file" / "table.arrow")


SCENARIOS = [value for name, value in list(globals().items()) if callable(value) and value.__module__ == "__main__"]
SCENARIOS = [scenario for scenario in SCENARIOS if scenario is not broken] + lazy_scenarios.SCENARIOS


def main() -> None:
    for scenario in SCENARIOS:
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
