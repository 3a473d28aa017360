"""Rows on the disk: they read as they were, and nothing stays behind; how much memory is for rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from deeprc.core.errors import InputError
from deeprc.core.files import StorageError
from deeprc.frames.lazy.budget import NO_LIMIT, _of_cgroup, _of_job
from deeprc.frames.lazy.store import LEAST, opened, size_of


def test_rows_read_as_they_were_and_leave_no_file(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"n": [1, None, 3], "text": ["a", None, "a text that is longer than twelve"], "list": [[1], [], None]}
    ).with_columns(
        word=pl.col("text").cast(pl.Categorical), day=pl.lit(0).cast(pl.Date), wide=pl.lit(2**100, pl.Int128)
    )
    with opened(tmp_path / "base") as store:
        kept = store.keep(rows)
        assert not list(store.folder.iterdir()) and store.written > 0
    assert not list((tmp_path / "base").iterdir())
    assert kept.equals(rows) and kept.schema == rows.schema  # mapped still


def test_what_a_killed_process_has_left_goes_and_what_is_in_use_stays(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from deeprc.frames.lazy.store import opened
with opened(Path(sys.argv[1])) as store:
    (store.folder / "1.arrow").write_bytes(b"rows")
    print(store.folder.name, flush=True)
    sys.stdin.readline()
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        name = process.stdout.readline().strip()
        with opened(tmp_path):
            assert (tmp_path / name / "1.arrow").exists()  # it lives
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / name / "1.arrow").exists()
        with opened(tmp_path) as store:
            assert {file.name for file in tmp_path.iterdir()} == {store.folder.name, f"{store.folder.name}.lock"}
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_error(tmpfs) -> None:
    rows = pl.DataFrame({"n": range(500_000)})
    folder = tmpfs("1m")
    with pytest.raises(StorageError, match="no space left for rows") as error, opened(folder / "rows") as store:
        store.keep(rows)
    assert "TMPDIR" in str(error.value) and "MB free" in str(error.value)
    assert not list((folder / "rows").iterdir())


@pytest.mark.requires("root")
def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    os.chown(tmp_path / "rows", 64023, -1)
    with pytest.raises(StorageError, match="not yours"), opened(tmp_path / "rows"):
        pass


@pytest.mark.parametrize(
    ("said", "size"), [(2**30, 2**30), ("2 GB", 2 * 10**9), ("1.5GiB", 3 * 2**29), ("64mb", 64 * 10**6), (LEAST, LEAST)]
)
def test_sizes(said: int | str, size: int) -> None:
    assert size_of(said) == size


@pytest.mark.parametrize("said", [0, "1 MB", "much", True, "-2 GB", None, "2 XB", "20 iB"])
def test_what_is_no_size_is_refused(said: object) -> None:
    with pytest.raises(InputError, match="at least 8 MiB"):
        size_of(said)


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/job/rank\n", {"job/rank/memory.max": "max", "job/memory.max": "8000000"}, 8000000),
        ("0::/\n", {"memory.max": "max"}, NO_LIMIT),
        ("5:memory:/job\n3:cpu:/x\n", {"memory/job/memory.limit_in_bytes": "9000", "memory.max": "1"}, 9000),
        ("5:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, NO_LIMIT),
    ],
)
def test_the_least_limit_of_a_cgroup_counts(tmp_path: Path, groups: str, files: dict[str, str], limit: int) -> None:
    for name, said in ({"proc/self/cgroup": groups} | {f"sys/fs/cgroup/{k}": v for k, v in files.items()}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(said)
    assert _of_cgroup(tmp_path) == limit


def test_what_the_job_asked_for(monkeypatch) -> None:
    for said, limit in (("2000", 2 * 10**9), ("0", NO_LIMIT), ("", NO_LIMIT)):
        monkeypatch.setenv("DEEPRC_MEM_MB", said)
        assert _of_job() == limit
