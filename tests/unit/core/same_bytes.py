"""A program: metrics and prepared data of both applications as digests, one line of JSON; `same_bytes.py FOLDER`."""

from __future__ import annotations

import hashlib
import json
import runpy
import sys
from datetime import datetime, timedelta
from pathlib import Path

from deeprc.frames import Communicator  # isort: skip  (it sets the threads of Polars)
import numpy as np

from deeprc.applications.forecasting.metrics import scores, seasonal_scale
from deeprc.applications.forecasting.series import load
from deeprc.applications.hydrology.metrics import bias, kge, nse, rmse
from deeprc.applications.hydrology.prepared import read_prepared
from deeprc.applications.hydrology.reference import climatology
from deeprc.applications.hydrology.samples import make_samples

folder = Path(sys.argv[1])
folder.mkdir()
chance = np.random.Generator(np.random.PCG64(1))
uniform = chance.random((6, 5000))  # + - * / alone: its normal and gamma deviates call the C library's logarithm
flow, noise, rain, warm, *_ = uniform
obs = flow * flow * flow * 40  # no power: numpy has several of its own
sim = obs * (0.5 + noise)


def stage(application: str, *argv: object) -> None:
    sys.argv = [application, *map(str, argv)]
    try:
        runpy.run_module(f"deeprc.applications.{application}", run_name="__main__")
    except SystemExit as end:
        assert not end.code, application


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


def files(path: Path) -> str:
    found = sorted(file for file in path.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.read_bytes() for file in found)).hexdigest()[:16]


start = datetime(2000, 1, 1)
days = [f"{start + timedelta(i):%d.%m.%Y},{w * 30},-1,{w * 20},{r * 9},{q}" for i, (w, r, q) in
        enumerate(zip(warm[:1500], rain, obs, strict=False))]  # fmt: skip
(folder / "river.csv").write_text("\n".join(["date,tmax,tmin,tmean,Prec,Q", *days]) + "\n")
hours = [f"{start + timedelta(hours=i)},{r * 9},{q}" for i, (r, q) in enumerate(zip(rain, obs, strict=True))]
(folder / "load.csv").write_text("\n".join(["date,wind,OT", *hours]) + "\n")
stage("hydrology.prepare", "--config", "{}", "--out", folder / "h", folder / "river.csv")
stage("forecasting.prepare", "--data", folder / "load.csv", "--config", '{"dataset": "ett"}', "--out", folder / "f")
data, series = read_prepared(folder / "h"), load(folder / "f")
inputs = ["y", *series.meta["history"], *series.meta["future"]]
samples, scaler = make_samples(data, ["river"])
frame = data.frame
seasons = climatology(
    frame["date"].to_numpy().astype("datetime64[D]"), frame["obs"].to_numpy(), (frame["split"] == "train").to_numpy()
)
print(json.dumps({
    "hydrology metrics": [measure(obs, sim) for measure in (nse, kge, rmse, bias)],
    "forecasting metrics": scores(obs, sim, seasonal_scale(obs, 24)),
    "hydrology prepared": files(folder / "h"),
    "forecasting prepared": files(folder / "f"),
    "series": digest(*(series.rows.column(name) for name in inputs), series.y_raw),
    "climatology": digest(seasons),
    "windows": [digest(samples.windows(samples.ends)), vars(scaler)],
}))  # fmt: skip
assert Communicator.world().size == 1
