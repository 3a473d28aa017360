"""What must hold for files and folders that ranks read and write together; see `scenarios`."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from agreeing import COMM, fails, gathered, mine, scenarios_of

from deeprc.core.errors import DeepRCError, InputError
from deeprc.core.files import StorageError
from deeprc.frames import Frame, scan_arrow, scan_csv, scan_parquet
from deeprc.frames.lazy import csv

FOLDER = Path(sys.argv[1])


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


def files_of_other_columns_are_united_as_by_a_scan() -> None:
    folder, other = FOLDER / "drift", FOLDER / "drift-arrow"
    tables = [
        pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}, {"a": pl.Int8, "b": pl.Float32}),
        pl.DataFrame({"c": ["x"], "a": [70_000]}, {"c": pl.String, "a": pl.Int32}),
        pl.DataFrame({"b": [2.5]}),
    ]
    if COMM.rank == 0:
        folder.mkdir()
        other.mkdir()
        for number, table in enumerate(tables):
            table.write_parquet(folder / f"{number}.parquet")
            table.write_ipc(other / f"{number}.arrow", compression="uncompressed")
    COMM.barrier()
    for place, eager, lazy in ((folder, Frame.read_parquet, scan_parquet), (other, Frame.read_arrow, scan_arrow)):
        expected = gathered(lazy(place, COMM).collect())
        assert expected.schema == pl.Schema({"a": pl.Int32, "b": pl.Float64, "c": pl.String})
        assert gathered(eager(place, COMM)).equals(expected) and expected["a"].to_list() == [1, 2, 70_000, None]
        assert gathered(eager(place, COMM, columns=["c", "a"])).equals(expected.select("c", "a"))
    with fails(InputError, "'d'", "a, b, c"):
        Frame.read_parquet(folder, COMM, columns=["d"])
    if COMM.rank == 0:
        pl.DataFrame({"a": ["text"]}).write_parquet(folder / "3.parquet")
    COMM.barrier()
    said = []
    for read in (Frame.read_parquet, scan_parquet):
        try:
            read(folder, COMM)
        except InputError as error:
            said.append(str(error))
    assert len(said) == 2 and said[0] == said[1], said
    assert (
        "3.parquet: column 'a' has another type than in the files before, and none holds the values of both" in said[0]
    )
    assert gathered(Frame.read_parquet(folder, COMM, columns=["c"])).height == 5


def damaged_files_among_good_ones_fail_a_scan_on_every_rank() -> None:
    folder = FOLDER / "damaged"
    if COMM.rank == 0:
        folder.mkdir()
    COMM.barrier()
    with fails(InputError, "damaged is empty"):
        scan_parquet(folder, COMM)
    good = FOLDER / "good.parquet"
    if COMM.rank == 0:
        pl.DataFrame({"row": range(90_000)}).write_parquet(folder / "0.parquet", row_group_size=9_000)
        good.write_bytes((folder / "0.parquet").read_bytes())
    COMM.barrier()
    whole = good.read_bytes()
    overwritten = whole[:2000] + bytes(len(whole) - 6000) + whole[-4000:]
    half = whole[: len(whole) // 2]  # as of a file that is still being written
    for content, kind, said in (
        (b"no parquet", InputError, "1.parquet: cannot read this file"),
        (b"", InputError, "1.parquet: cannot read this file"),
        (half, InputError, "1.parquet: cannot read this file"),
        (overwritten, DeepRCError, "orrupt"),  # its footer is right, what it tells of is not
    ):
        if COMM.rank == 0:
            (folder / "1.parquet").write_bytes(content)
        COMM.barrier()
        with fails(kind, "rank", said):
            scan_parquet(folder, COMM).collect()


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


def a_text_that_changes_while_ranks_read_it_is_one_error() -> None:
    """The last rank comes late, when the file has other values, and as many bytes."""
    file = FOLDER / "changing.csv"
    if COMM.rank == 0:
        file.write_text("x\n" + "1\n" * 3000)
    COMM.barrier()
    plan, read = scan_csv(file, COMM), csv.text_of

    def late(*part: object) -> bytes:
        other = file.with_suffix(".new")
        other.write_text("x\n" + "2\n" * 3000)
        other.replace(file)  # at once: other ranks may be looking at it
        return read(*part)

    try:
        csv.text_of = late if COMM.rank == COMM.size - 1 else read
        with fails(InputError, f"{file}: the file has become another one", "as many bytes, written anew"):
            plan.collect()
    finally:
        csv.text_of = read
    COMM.barrier()
    assert set(gathered(scan_csv(file, COMM).collect())["x"]) == {2}


def a_page_that_cannot_be_read_is_told_with_its_file() -> None:
    """Its header, or what is in it: Polars' error tells of neither the file nor the row group."""
    folder = FOLDER / "broken"
    rows = pl.DataFrame({"k": range(300_000), "v": [number * 7 % 1013 / 2 for number in range(300_000)]})
    if COMM.rank == 0:
        folder.mkdir()
        for name in ("0", "1"):
            rows.write_parquet(folder / f"{name}.parquet", row_group_size=50_000)
        column = pq.ParquetFile(folder / "1.parquet").metadata.row_group(4).column(0)
        start, end = column.data_page_offset, column.data_page_offset + column.total_compressed_size
        whole = (folder / "1.parquet").read_bytes()
    for spoilt in (0, 60):
        if COMM.rank == 0:
            length = 40 if spoilt == 0 else end - start - 68
            at = start + spoilt
            (folder / "1.parquet").write_bytes(whole[:at] + b"\xff" * length + whole[at + length :])
        COMM.barrier()
        plan = scan_parquet(folder, COMM)
        for made in (plan.sort("v"), plan.group_by("v").agg(pl.col("k").sum())):
            for memory in (None, "16 MiB"):
                with fails(InputError, "rank", "1.parquet: cannot read this file"):
                    made.collect(memory=memory)
        with fails(DeepRCError, "conversion"):  # the file is not to blame
            plan.select(pl.col("v").cast(pl.String).cast(pl.Int64)).collect()
        COMM.barrier()


SCENARIOS = scenarios_of(globals(), but=())
