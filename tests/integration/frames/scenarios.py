"""What must hold on several ranks beyond the properties; every function is run by every rank, in order.

`mpiexec -n 3 python scenarios.py FOLDER` prints the name of each that held; the first failure ends the ranks.
"""

from __future__ import annotations

import resource
import sys
import traceback
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from deeprc.errors import ConfigError, DeepRCError, InputError
from deeprc.files import StorageError
from deeprc.frames import Communicator, Frame, communicator
from deeprc.frames.shuffle import SchemaError

COMM = Communicator.world()
FOLDER = Path(sys.argv[1])


def fails(kind: type[DeepRCError], *texts: str):
    """A context that asserts that its body raises `kind` with these texts, on every rank."""

    class Context:
        def __enter__(self) -> None: ...

        def __exit__(self, found: type | None, error: BaseException | None, _: object) -> bool:
            assert found is not None and issubclass(found, kind), f"raised {found}, not {kind}"
            for text in texts:
                assert text in str(error), f"{text!r} not in {error}"
            return True

    return Context()


def mine(table: pl.DataFrame) -> Frame:
    """The ranks' thirds of a table."""
    return Frame(table[table.height * COMM.rank // COMM.size : table.height * (COMM.rank + 1) // COMM.size], COMM)


def gathered(frame: Frame) -> pl.DataFrame:
    return pl.from_arrow(frame.gather())


def other_columns_on_a_rank_fail_on_every_rank() -> None:
    kind = pa.int32() if COMM.rank == 1 else pa.int64()
    with fails(SchemaError, "rank 1", "Int32", "Int64"):
        Frame.from_arrow(pa.table({"key": pa.array([1], kind)}), COMM)


def a_rank_without_rows_needs_the_columns_too() -> None:
    table = pa.table({"key": [1]}) if COMM.rank else pa.table({})
    with fails(SchemaError, "rank 1", "no columns"):
        Frame.from_arrow(table, COMM)


def columns_that_come_to_differ_are_noticed_when_rows_travel() -> None:
    frame = mine(pl.DataFrame({"key": range(9)})).with_columns(value=pl.lit(1.5) if COMM.rank == 2 else pl.lit("text"))
    for travel in (frame.repartition, lambda: frame.sort("key"), lambda: frame.join(frame, on="key")):
        with fails(SchemaError, "rank 2", "value: Float64", "value: String"):
            travel()


def wrong_arguments_fail_on_every_rank() -> None:
    frame = mine(pl.DataFrame({"key": range(9), "text": ["a"] * 9}))
    with fails(InputError, "'kee'", "key, text"):
        frame.sort("kee")
    with fails(InputError, "'kee'", "key, text"):
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


def an_error_of_one_rank_is_one_of_every_rank() -> None:
    with fails(DeepRCError if COMM.rank != 1 else InputError, "broken here"), COMM.together():
        if COMM.rank == 1:
            raise InputError("broken here")


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


def sums_of_small_types_do_not_overflow() -> None:
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


def unreadable_files_fail_on_every_rank() -> None:
    with fails(DeepRCError, "nowhere"):
        Frame.read_parquet(FOLDER / "nowhere" / "*.parquet", COMM)
    with fails(DeepRCError, "3.parquet", "absent"):
        Frame.read_parquet(FOLDER / "groups" / "3.parquet", COMM, columns=["absent"])
    folder = FOLDER / "mixed"
    if COMM.rank == 0:
        folder.mkdir()
        pq.write_table(pa.table({"a": [1]}), folder / "0.parquet")
        pq.write_table(pa.table({"a": ["text"]}), folder / "1.parquet")
    COMM.barrier()
    with fails(DeepRCError, "1.parquet", "a: int64", "a: string"):
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
        with fails(OSError if COMM.rank == 1 else DeepRCError, "File too large"):
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
SCENARIOS = [scenario for scenario in SCENARIOS if scenario not in (fails, mine, gathered)]


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
