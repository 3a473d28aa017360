"""Two stages, on the engine that the environment names: `mpiexec -n 2 python on_engines.py FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import polars as pl
from agreeing import COMM, gathered, mine

from deeprc.applications.hydrology import prepare
from deeprc.applications.hydrology.config import DataConfig
from deeprc.applications.hydrology.datasets import open_dataset

COLUMNS = {"discharge": "Q", "precipitation": "P"}


def main(folder: Path) -> None:
    config = DataConfig(dataset="csv", columns=COLUMNS, discharge_unit="mm/day", window=30)
    frame, _ = prepare.prepare(open_dataset(config, sorted(folder.glob("*.csv"))), config, COMM)
    prepared = gathered(frame)
    table = mine(pl.DataFrame({"k": [3, 1, 2, 1, 3, 3] * 9, "v": pl.Series(range(54), dtype=pl.Int32), "w": 0.5}))
    sums = gathered(table.groupby("k").agg({"v": ["sum", "max"], "w": "mean", "k": "count"})).sort("k")
    spread = gathered(table.groupby("k").agg({"w": "var"})).sort("k")
    joined = gathered(table.join(table.select("k", "w"), on="k").sort(["v", "w"]))
    full = gathered(table.join(table, on="k", how="full")).height
    if COMM.rank == 0:
        engine = os.environ.get("DEEPRC_FRAMES_ENGINE", "arrow")
        for name, rows in (("prepared", prepared), ("sums", sums), ("spread", spread), ("joined", joined)):
            rows.write_ipc(folder / f"{name}.{engine}")
        print(full, *getattr(sys.modules.get("pycylon"), "CALLS", []), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
