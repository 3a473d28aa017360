"""Rows that memory has no room for, on real ranks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MOST_MB = 48  # with a budget of 8 MB for 32 MB of rows; without one it is about 130


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("many")


def test_rows_of_four_times_the_budget_go_by_way_of_the_disk(mpirun, folder: Path, tmp_path: Path) -> None:
    done = mpirun(2, [HERE / "out_of_core.py", folder], timeout=300, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    peaks = {name: int(peak) for name, peak in re.findall(r"(sort|join|groupby): (\d+) MB", done.stdout)}
    assert set(peaks) == {"sort", "join", "groupby"}, done.stdout
    assert max(peaks.values()) < MOST_MB, peaks


def test_a_disk_without_room_is_one_error_on_every_rank(mpirun, folder: Path, tmpfs) -> None:
    room = {"TMPDIR": str(tmpfs("8m"))}
    done = mpirun(2, [HERE / "out_of_core.py", folder, "full"], timeout=120, env=room)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is in memory itself (tmpfs)") == 1, done.stderr
