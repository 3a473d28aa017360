"""Rows of four times a rank's budget; run by two ranks, with FOLDER, and `full` where the disk has no room."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from agreeing import COMM, fails

from deeprc.core.errors import DeepRCError, InputError
from deeprc.core.files import StorageError
from deeprc.frames import Frame, scan_csv, scan_parquet
from deeprc.frames.lazy import budget
from deeprc.frames.lazy.deal import Deal, Size
from deeprc.frames.lazy.piece import Piece
from deeprc.frames.lazy.spilling import Spilling
from deeprc.frames.lazy.step import Step
from deeprc.frames.lazy.store import RowStore, opened
from deeprc.frames.place import place

FOLDER = Path(sys.argv[1])
ROWS, BUDGET = 2_000_000, 8 * 2**20


class Peak:
    """The most memory that is not a file's, MB, beyond what there was at the beginning."""

    def __enter__(self) -> Peak:
        self.mb, self._start, self._ended = 0.0, _held(), threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.mb = COMM.allreduce(self.mb, "max")

    def _look(self) -> None:
        while not self._ended.wait(0.005):
            self.mb = max(self.mb, _held() - self._start)


def _held() -> float:
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("RssAnon:") + 1]) / 1024


def make() -> None:
    """64 MB of rows in `many`, as many keys as rows; half as much in `other`."""
    random = np.random.default_rng(0)
    key = random.permutation(ROWS)
    many = pl.DataFrame({"key": key, "group": random.integers(0, ROWS, ROWS), "a": key % 100, "b": random.random(ROWS)})
    many.write_parquet(FOLDER / "many.parquet", row_group_size=50_000, compression="uncompressed")
    other = pl.DataFrame(
        {
            "key": random.permutation(ROWS),
        }
    ).with_columns(c=pl.col("key") * 3)
    other.write_parquet(FOLDER / "other.parquet", row_group_size=50_000, compression="uncompressed")


def plans() -> dict:
    many, other = (scan_parquet(FOLDER / f"{name}.parquet", COMM) for name in ("many", "other"))
    return {
        "sort": many.sort("b"),
        "join": many.join(other, on="key"),
        "groupby": many.group_by("group").agg(pl.col("a").sum(), pl.col("b").max(), pl.len()),
    }


def check(name: str, rows: pl.DataFrame) -> None:
    """That nothing is lost, doubled or beside something else."""
    same = {"sort": pl.col("a") == pl.col("key") % 100, "join": pl.col("c") == pl.col("key") * 3}.get(
        name, pl.lit(True)
    )
    first, number = pl.nth(0).cast(pl.Float64).sum(), pl.len() if name != "groupby" else pl.col("len").sum()
    told = (
        rows.lazy().select(first, number.alias("n"), same=same.all(), a=pl.col("a").sum()).collect(engine="streaming")
    )
    first, number, same, total = zip(*COMM.allgather(told.row(0)), strict=True)
    assert (sum(number), sum(total), all(same)) == (ROWS, ROWS // 100 * 4950, True), (name, number, total, same)
    if name == "groupby":
        assert sum(COMM.allgather(rows["group"].n_unique())) == sum(COMM.allgather(rows.height))
    else:
        assert sum(first) == ROWS * (ROWS - 1) / 2
    if name == "sort":
        mine = rows["b"]
        ends = COMM.allgather((mine.min(), mine.max()))
        assert mine.is_sorted() and all(a[1] <= b[0] for a, b in pairwise(ends))


def check_a_rank_without_rows() -> None:
    """It has no batch to sort while the other one has some; columns that tell where nulls are travel, too."""
    rows = pl.DataFrame({"a": [None, *range(200_000)], "b": [None, *range(200_000)][::-1]})
    frame = Frame(rows if COMM.rank == 0 else rows.clear(), COMM)
    found = frame.lazy().sort("b", nulls_last=True).collect(memory=BUDGET).gather()
    assert COMM.rank > 0 or pl.from_arrow(found).equals(rows.sort("b", nulls_last=True))


def check_a_failure_of_one_rank() -> None:
    """Rows that stay on their rank are put into buckets there: a step of it alone."""

    def placed(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        if COMM.rank == 1:
            raise MemoryError("none for buckets")
        return (np.zeros(rows.height, np.int64),) * 2

    rows = pl.DataFrame({"a": [1]})
    piece = Piece(rows.lazy(), Deal(), Size(1, 8), Step("rows"))
    with opened(place()) as store, fails(DeepRCError, "rank 1 of 2 failed", "none for buckets"):
        Spilling(COMM, BUDGET, store, 1)._dealt(piece, placed, ordered=False, here=True)
    COMM.barrier()


def check_groups_by_fewer_keys_than_those_of_a_join() -> None:
    """The left side lies by ranges of `a` where it is read: the parts of the join hold whole groups of it."""
    if COMM.rank == 0:
        row = pl.int_range(300_000, eager=True)
        rows = pl.select(a=row // 6, b=row % 6)
        rows.write_parquet(FOLDER / "ordered.parquet", row_group_size=20_000)
        rows.reverse().write_parquet(FOLDER / "reversed.parquet", row_group_size=20_000)
    COMM.barrier()
    left, right = (scan_parquet(FOLDER / f"{name}.parquet", COMM) for name in ("ordered", "reversed"))
    with fails(InputError, "rank 1 does not do what rank 0 does", f"memory={BUDGET}"):
        left.collect(memory=BUDGET if COMM.rank else None)
    groups = left.join(right, on=["a", "b"]).group_by("a").agg(pl.len())
    assert "by ranges of a" in groups.explain()
    found = groups.collect(memory=BUDGET)
    assert found.rows() == 50_000 and (found.to_polars()["len"] == 6).all()


def check_a_text_is_read_piece_by_piece() -> None:
    """Nothing is lost where pieces meet, nor where a plan wants the first rows alone."""
    if COMM.rank == 0:
        many = pl.scan_parquet(FOLDER / "many.parquet").head(700_000)
        many.sink_csv(FOLDER / "many.csv", line_terminator="\r\n")
        many.head(300_000).with_columns(text=pl.lit('a "quoted", b')).sink_csv(FOLDER / "quoted.csv")
    COMM.barrier()
    plan, same = scan_csv(FOLDER / "many.csv", COMM), scan_parquet(FOLDER / "many.parquet", COMM).head(700_000)
    for made in (
        lambda rows: rows.sort("b"),
        lambda rows: rows.filter(pl.col("a") == 7).select("key").sort("key"),
        lambda rows: rows.head(9000).select("group", "a"),
    ):
        with Peak() as peak:
            found = made(plan).collect(memory=BUDGET)
        assert peak.mb < 48, peak.mb
        assert pl.from_arrow(found.gather()).equals(pl.from_arrow(made(same).collect().gather()))
    quoted = scan_csv(FOLDER / "quoted.csv", COMM).select(pl.len(), pl.col("text").min()).collect(memory=BUDGET)
    assert pl.from_arrow(quoted.gather()).rows() == [(300_000, 'a "quoted", b')]


def check_methods_of_a_frame_have_the_job_s_memory() -> None:
    """Rows beside which no others have room: what is made of them goes by way of the disk, or is refused."""
    rows = pl.select(key=pl.int_range(600_000), group=pl.int_range(600_000) % 100)
    frame = Frame(rows[:: -1 if COMM.rank else 1], COMM)
    sorted_, joined = frame.sort("key").gather(), frame.select("key").join(frame, on="key").rows()
    before = budget._KNOWN.pop(COMM)
    os.environ["DEEPRC_MEM_MB"] = "16"
    try:
        kept, written = RowStore.keep, []
        RowStore.keep = lambda store, rows: written.append(rows.height) or kept(store, rows)
        assert frame.sort("key").gather().equals(sorted_) and written
        written.clear()
        assert frame.select("key").join(frame, on="key").rows() == joined == 4 * 600_000 and written
        assert frame.groupby("group").agg({"key": "sum"}).rows() == 100
        with fails(
            InputError, "groupby: all rows of a group are needed", "MiB held by a rank", "at most 8.0 MiB", "memory="
        ):
            frame.groupby("group").agg({"key": "median"})
    finally:
        RowStore.keep = kept
        os.environ.pop("DEEPRC_MEM_MB")
        budget._KNOWN[COMM] = before


def main() -> None:
    check_a_text_is_read_piece_by_piece()
    check_methods_of_a_frame_have_the_job_s_memory()
    check_a_failure_of_one_rank()
    check_a_rank_without_rows()
    check_groups_by_fewer_keys_than_those_of_a_join()
    for name, plan in plans().items():
        with Peak() as peak:
            found = plan.collect(memory=BUDGET)
        assert not list(place().iterdir()), "files are left"
        check(name, found.to_polars())
        del found
        if COMM.rank == 0:
            print(f"{name}: {peak.mb:.0f} MB", flush=True)


def full() -> None:
    plan = plans()["sort"]
    start = time.perf_counter()
    with fails(StorageError, "neither in memory nor on the disk", "available on the disk", "needed", "TMPDIR"):
        plan.collect(memory=BUDGET)
    assert time.perf_counter() - start < 60
    # What is read has room in memory, what is made of it nowhere.
    with fails(StorageError, "rank", "no space left for rows", "TMPDIR"):
        plan.select("b", *(pl.col("key").alias(f"copy {number}") for number in range(9))).collect(memory=2 * BUDGET)
    assert not list(place().iterdir()) and str(place()).startswith(tempfile.gettempdir())


if __name__ == "__main__":
    if COMM.rank == 0 and not (FOLDER / "other.parquet").exists():
        make()
    COMM.barrier()
    full() if sys.argv[2:] else main()
