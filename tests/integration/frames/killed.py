"""Rank 1 of three is killed amid an operation: `mpiexec -n 3 python killed.py OPERATION`; it tells what it has open."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from deeprc.frames import Communicator, Frame, shuffle
from deeprc.frames.lazy.store import RowStore

COMM = Communicator.world()
ROWS = 400_000


def killed(*_: object) -> None:
    shared = sorted(set(re.findall(r"/dev/shm/mpich_shm_\w+", Path("/proc/self/maps").read_text())))
    print(f"killed {os.getpid()} {time.monotonic()} {' '.join(shared)}", flush=True)
    time.sleep(0.5)  # until the launcher has read it
    os.kill(os.getpid(), signal.SIGKILL)


def keep(store: RowStore, rows: pl.DataFrame) -> pl.DataFrame:
    (store.folder / "half.arrow").write_bytes(b"half of the rows")
    killed()
    return rows


def main(operation: str) -> None:
    random = np.random.default_rng(COMM.rank)
    frame = Frame(pl.DataFrame({"key": random.integers(0, ROWS, ROWS), "value": random.random(ROWS)}), COMM)
    if COMM.rank == 1 and operation == "spilling":
        RowStore.keep = keep
    elif COMM.rank == 1:
        shuffle.shared.exchange = killed
    if operation == "join":
        frame.join(frame, on="key")
    elif operation == "sort":
        frame.sort("value")
    elif operation == "groupby":
        frame.groupby("key").agg({"value": "median"})
    else:
        frame.lazy().sort("value").collect(memory=8 * 2**20)


if __name__ == "__main__":
    main(sys.argv[1])
