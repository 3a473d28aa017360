"""A world of one, without a launcher, and a world that is not the one that was asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeprc.frames import Communicator, Frame, watcher


def alone(program: str, **environment: str) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "DEEPRC_RANKS"}
    command = [sys.executable, "-c", "from deeprc.frames import Communicator, Frame\n" + program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=inherited | environment)


def test_ranks_that_are_worlds_of_their_own_are_noticed() -> None:
    done = alone("Communicator.world()", DEEPRC_RANKS="2")
    assert done.returncode != 0
    assert "DeepRCError: each rank is a world of its own" in done.stderr
    assert "found: 1 of the 2 ranks" in done.stderr


def test_a_frame_works_without_a_launcher() -> None:
    program = """
import pyarrow as pa
frame = Frame.from_arrow(pa.table({"key": [2, 1, 2], "value": [1.0, 2.0, 3.0]}), Communicator.world())
print(frame.groupby("key").agg({"value": "sum"}).sort("key").to_arrow().to_pylist())
"""
    done = alone(program)
    assert done.stdout.strip() == "[{'key': 1, 'value_sum': 2.0}, {'key': 2, 'value_sum': 4.0}]", done.stderr


def test_a_rank_has_one_thread_unless_told_otherwise() -> None:
    unset = {"POLARS_MAX_THREADS": "", "OMP_NUM_THREADS": ""}
    program = """
import os, subprocess, sys
for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS"):
    os.environ.pop(name, None)
for more in ({}, {"OMP_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "2", "POLARS_MAX_THREADS": "3"}):
    code = "import deeprc.frames, polars; print(polars.thread_pool_size())"
    print(subprocess.run([sys.executable, "-c", code], env=os.environ | more, text=True, capture_output=True).stdout)
"""
    assert alone(program, **unset).stdout.split() == ["1", "2", "3"]


def test_a_small_arrow_file_may_be_written_anew(tmp_path: Path) -> None:
    """The frame's values changed with the file, and a shorter one killed the rank."""
    rows = pl.DataFrame({"n": range(1000)})
    rows.write_ipc(file := tmp_path / "rows.arrow", compression="uncompressed")
    frame = Frame.read_arrow(file, Communicator.alone())
    with file.open("r+b") as handle:
        handle.write(bytes(file.stat().st_size))
    os.truncate(file, 100)
    assert frame.to_polars().equals(rows)


@dataclass
class Ended:
    """A rank that a signal has ended."""

    signal: int
    rank: int = 1
    pid: int = 2**22 + 1
    is_told: bool = True

    def status(self) -> int:
        return self.signal


def test_a_rank_that_a_mapped_file_has_killed_is_told_so() -> None:
    said = watcher.told([Ended(signal.SIGBUS)], 1, 2, 1)
    assert "rank 1 of 2 was killed (SIGBUS: a file that is mapped into memory was cut shorter, or" in said
    assert "(SIGKILL, process " in watcher.told([Ended(signal.SIGKILL)], 1, 2, 1)
