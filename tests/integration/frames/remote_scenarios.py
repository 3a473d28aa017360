"""What must hold for files of servers: `mpiexec -n 3 python remote_scenarios.py FOLDER WEB`; both give FOLDER."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from agreeing import COMM, fails, gathered, scenarios_of

from deeprc.core.errors import DeepRCError, InputError
from deeprc.frames import LazyFrame, scan_arrow, scan_csv, scan_parquet
from deeprc.frames.lazy import scan

FOLDER, WEB = Path(sys.argv[1]), sys.argv[2]
S3, SECRET = "s3://bucket", os.environ["AWS_SECRET_ACCESS_KEY"]


@contextmanager
def environment(**changed: str | None) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update({name: value for name, value in changed.items() if value is not None})
    for name in [name for name, value in changed.items() if value is None]:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def same(found: LazyFrame, expected: LazyFrame) -> None:
    rows, wanted = gathered(found.collect()), gathered(expected.collect())
    assert rows.equals(wanted) and rows.height > 0, (rows, wanted)


def files_folders_and_patterns_are_read_as_those_of_a_disk() -> None:
    for root in (WEB, S3):
        for name in ("rows.parquet", "parts", "parts/*.parquet", "parts/[ab].parquet", "p*/b.parquet", "hive", "odd/*"):
            same(scan_parquet(f"{root}/{name}", COMM), scan_parquet(FOLDER / name, COMM))
        same(scan_parquet(f"{root}/odd/a%20b+c.parquet".replace("%20", " " if root == S3 else "%20"), COMM),
             scan_parquet(FOLDER / "odd" / "a b+c.parquet", COMM))  # fmt: skip
        same(scan_arrow(f"{root}/rows.arrow", COMM), scan_arrow(FOLDER / "rows.arrow", COMM))
        same(scan_csv(f"{root}/rows.csv", COMM), scan_csv(FOLDER / "rows.csv", COMM))
        hive = scan_parquet(f"{root}/hive", COMM)
        assert hive.columns[-1] == "k", hive.columns
        same(hive.filter(pl.col("k") == 2), scan_parquet(FOLDER / "hive", COMM).filter(pl.col("k") == 2))


def only_row_groups_that_are_asked_for_travel() -> None:
    """How many bytes, the server counts."""
    for root in (WEB, S3):
        plan = scan_parquet(f"{root}/pruned.parquet", COMM).filter(pl.col("x") >= 88_000).select("x")
        same(plan, scan_parquet(FOLDER / "pruned.parquet", COMM).filter(pl.col("x") >= 88_000).select("x"))


def a_server_that_gives_no_parts_is_asked_for_the_whole() -> None:
    for name in ("rows.parquet", "rows.csv"):
        read = scan_csv if name.endswith("csv") else scan_parquet
        same(read(f"{WEB}/whole/{name}", COMM), read(FOLDER / name, COMM))


def a_wrong_address_is_one_sentence_on_every_rank() -> None:
    for address in (f"{WEB}/none.parquet", f"{S3}/none.parquet", f"{S3}/parts/*.orc"):
        with fails(InputError, f"{address}: no such file, nor files that match"):
            scan_parquet(address, COMM)
    with fails(InputError, "http://127.0.0.1:9/x.parquet: the server cannot be asked", "Connection refused"):
        scan_parquet("http://127.0.0.1:9/x.parquet", COMM)
    with fails(InputError, "s3://other/x.parquet", "no such"):
        scan_parquet("s3://other/x.parquet", COMM)
    with environment(AWS_ENDPOINT_URL="http://127.0.0.1:9"), fails(InputError, "the server cannot be asked"):
        scan_parquet(f"{S3}/rows.parquet", COMM)
    with fails(InputError, "gs:// addresses are not read", "s3://bucket/…"):
        scan_parquet("gs://bucket/rows.parquet", COMM)
    with fails(InputError, "as text, not as a path"):
        scan_parquet(Path(f"{S3}/rows.parquet"), COMM)
    with fails(InputError, "rows.csv: cannot read this file"):
        scan_parquet(f"{WEB}/rows.csv", COMM)


def refused_access_is_one_sentence_without_the_secret() -> None:
    with fails(InputError, f"{WEB}/closed/rows.parquet: access is refused", "403"):
        scan_parquet(f"{WEB}/closed/rows.parquet", COMM)
    for changed, said in (
        ({"AWS_SECRET_ACCESS_KEY": SECRET + "x"}, "with the key of AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "without a key (AWS_ACCESS_KEY_ID is not set)"),
        ({"AWS_ACCESS_KEY_ID": None}, "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not"),
    ):
        with environment(**changed):
            for address in (f"{S3}/rows.parquet", f"{S3}/parts"):
                try:
                    with fails(InputError, said):
                        scan_parquet(address, COMM)
                except DeepRCError as error:
                    assert SECRET not in str(error)
                    raise
    for address in (f"http://me:{SECRET}@127.0.0.1/x.parquet", f"{WEB}/x.parquet?signature={SECRET}"):
        with fails(InputError, "this may be a secret", "127.0.0.1"):
            scan_parquet(address, COMM)
        try:
            scan_parquet(address, COMM)
        except InputError as error:
            assert SECRET not in str(error)


def a_file_that_was_changed_on_its_server_since_it_was_scanned_is_one_error() -> None:
    """As many bytes, and other values: the server's mark tells."""

    def written(value: int) -> None:
        if COMM.rank == 0:
            rows = pl.DataFrame({"x": [value] * 3000})
            rows.write_parquet(FOLDER / "changing.parquet", row_group_size=1000, compression="uncompressed")
            rows.write_csv(FOLDER / "changing.csv")
            for name in ("changing.parquet", "changing.csv"):
                os.utime(FOLDER / name, (value * 10**8, value * 10**8))
        COMM.barrier()

    for root in (WEB, S3):
        written(1)
        plans = scan_parquet(f"{root}/changing.parquet", COMM), scan_csv(f"{root}/changing.csv", COMM)
        for plan in plans:
            assert gathered(plan.collect())["x"].sum() == 3000
        COMM.barrier()
        written(2)
        for plan in plans:
            with fails(InputError, f"{root}/changing.", "become another one", "as many bytes, written anew"):
                plan.collect()


def a_key_that_is_taken_away_after_the_footers_were_read_is_one_error() -> None:
    plan = scan_parquet(f"{S3}/rows.parquet", COMM)
    with environment(AWS_SECRET_ACCESS_KEY=SECRET + "x"), fails(InputError, f"{S3}/rows.parquet: access is refused"):
        plan.collect()
    assert plan.collect().rows() == 90_000


if __name__ == "__main__":
    scan.SMALL_BYTES = 0
    for scenario in scenarios_of(globals(), but=(environment, same)):
        scenario()
        COMM.barrier()
        if COMM.rank == 0:
            print(scenario.__name__, flush=True)
