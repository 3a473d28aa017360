"""Two small basins in the two csv layouts, and the stages as the workflow starts them."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def basins(tmp_path_factory) -> list[Path]:
    """A Fulda-like and a HYMOD-like file: linear reservoirs under random rain, with gaps in both."""
    folder, rng = tmp_path_factory.mktemp("basins"), np.random.default_rng(3)
    fulda = ["date,tmax,tmin,tmean,Prec,Q", "#,°C,°C,°C,mm/day,m³/s"]
    hymod = ["Date;rainfall[mm];TURC [mm d-1];Discharge[ls-1]"]
    storage = 0.0
    for index, rain in enumerate(rng.gamma(0.4, 6.0, 420)):
        day = date(2001, 1, 1) + timedelta(index)
        season = np.cos(2 * np.pi * index / 365)
        storage = 0.7 * (storage + rain)
        flow = "nan" if index < 30 or index == 100 else f"{storage:.4f}"
        warm = "" if index == 200 else f"{9 - 9 * season:.2f}"
        fulda.append(f"{day:%d.%m.%Y},{14 - 9 * season:.2f},{4 - 9 * season:.2f},{warm},{rain:.2f},{flow}")
        if index != 250:  # a day that the file leaves out
            hymod.append(f"{day:%d.%m.%Y};{rain:.2f};{2 - 2 * season:.3f};{flow}")
    files = {"fulda.csv": fulda, "leaf-river.csv": hymod}
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [folder / name for name in files]


@pytest.fixture(scope="session")
def stage():
    """A function that runs a stage on one rank: `stage("check", …)`."""

    def start(name: str, *argv: object, code: int = 0) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", f"deeprc.applications.hydrology.{name}", *map(str, argv)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stderr
        return done

    return start
