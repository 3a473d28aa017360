"""One training after the other: prepared, trained and judged by the pipeline's own stages, and kept."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from deeprc.applications.base.stages import stage
from deeprc.applications.forecasting.accuracy.protocol import HELD_OUT, SERIES, TRAIN, Cell
from deeprc.core import code
from deeprc.core.errors import InputError
from deeprc.core.files import atomic, read_json, sha256, write_json

STAGES = "deeprc.applications.forecasting"
CHECKPOINT_STEPS = 50


@dataclass(frozen=True)
class EttFile:
    """The data.

    Attributes
    ----------
    name
        ETTh1 or ETTh2.
    sha256
        Of the user's file.
    folder
        Where prepared data, trainings and their results are kept.
    """

    path: Path
    name: str
    sha256: str
    folder: Path

    @classmethod
    def of(cls, path: Path, known: tuple[str, ...], folder: Path) -> EttFile:
        """The file, whose name is that of its data; refused where it is none of `known`."""
        if not path.is_file():
            raise InputError(
                "no such file", where=path, fix="github.com/zhouhaoyi/ETDataset has ETTh1.csv and ETTh2.csv"
            )
        if path.stem not in known:
            raise InputError(
                "these data have no published row here", where=path, found=path.stem, expected=" or ".join(known),
                fix="call the file as its data",
            )  # fmt: skip
        return cls(path, path.stem, sha256(path), folder)

    def long(self) -> Path:
        """The first 20 months as one row for each series and hour: what `prepare` reads."""
        out, rows = self.folder / f"{self.name}-{self.sha256[:12]}.parquet", TRAIN + 2 * HELD_OUT
        if out.is_file():
            return out
        table = pl.read_csv(self.path, try_parse_dates=True)
        names = table.columns[1:]
        if len(names) != SERIES or table.columns[0] != "date" or len(table) < rows:
            raise InputError(
                "not a file of ETT", where=self.path,
                found=f"{len(table):,} rows of {', '.join(table.columns[:9])}",
                expected=f"at least {rows:,} rows of `date` and {SERIES} series",
            )  # fmt: skip
        # In the file's order, which `prepare` finds in the names: a network of all series together begins with weights
        # for the first, the second and so on.
        table = table.rename({name: f"{number} {name}" for number, name in enumerate(names)})
        long = table.head(rows).unpivot(table.columns[1:], index="date", variable_name="unique_id", value_name="y")
        with atomic(out) as temporary:
            long.rename({"date": "ds"}).write_parquet(temporary)
        return out


def prepared(source: EttFile, cell: Cell, run: Callable[..., None]) -> Path:
    """The folder that `prepare` has made of the data for this cell."""
    config = cell.data.model_dump_json()
    out = source.folder / f"prepared-{_key(source.sha256, config)}"
    if not out.is_dir():
        run("prepare", "--data", source.long(), "--config", config, "--out", out)
    return out


def kept(source: EttFile, cell: Cell, threads: int) -> Path:
    """Where the errors of a cell are kept."""
    return source.folder / f"{cell.model}-{cell.horizon}-{cell.train.seed}-{_of(source, cell, threads)}.json"


def measured(source: EttFile, cell: Cell, threads: int, say: Callable[[str], None]) -> dict:
    """The errors of a cell: those that were kept, or of a training that goes on where it was ended."""
    path, here = kept(source, cell, threads), _of(source, cell, threads)
    if path.is_file():
        say(f"{cell.label}: kept from before")
        return read_json(path)

    def run(name: str, *arguments: object) -> None:
        stage(f"{STAGES}.{name}", *arguments, threads=threads, say=lambda line: say(f"{cell.label}: {line}"))

    began, folder = time.monotonic(), prepared(source, cell, run)
    work = source.folder / f"model-{here}"
    if not work.is_dir():
        run(
            "train", "--prepared", folder, "--model", cell.name, "--config", cell.train.model_dump_json(),
            "--out", work, "--threads", threads, "--checkpoints", source.folder / f"checkpoints-{here}",
            "--how", json.dumps({"checkpoint_steps": CHECKPOINT_STEPS, "device": "cpu"}),
        )  # fmt: skip
    found = judge(folder, work, cell.drop_last, threads)
    found |= {"seconds": round(time.monotonic() - began, 1)}
    write_json(path, found)
    return found


def judge(prepared: Path, model: Path, drop_last: int, threads: int) -> dict:
    """Mean squared and absolute errors of a model over all windows of the test part, of scaled values."""
    from deeprc.applications.base.trained import read_model
    from deeprc.applications.forecasting.network import Forecaster, forecast
    from deeprc.applications.forecasting.series import load
    from deeprc.core import fingerprint
    from deeprc.learning.checkpoints import tensors
    from deeprc.learning.torch import state
    from deeprc.learning.torch.loop import make_deterministic

    series = load(prepared)
    about = read_model(model, series.meta.get(fingerprint.KEY), prepared)
    make_deterministic(about["seed"], threads)
    network = Forecaster(about["name"], about["options"], series.meta, level=about["level"], calendar=about["calendar"])
    network.load_state_dict(state.tensors("", tensors.read(model / "weights.safetensors")))
    origins = series.origins("test")
    yhat = forecast(network, series, origins)
    found = errors(series, origins, yhat) | {
        "windows": len(origins), "parameters": about["parameters"], "weights_sha256": about["weights_sha256"],
        "best_step": about["best_step"],
    }  # fmt: skip
    each = len(origins) // SERIES
    if 0 < drop_last <= each:
        first = np.tile(np.arange(each) < each // drop_last * drop_last, SERIES)
        found["without_the_last_batch"] = {"batch": drop_last, **errors(series, origins[first], yhat[first])}
    return found


def references(prepared: Path) -> dict[str, dict]:
    """The same errors of the last value, and of the value of a day before."""
    from deeprc.applications.forecasting.series import load

    series = load(prepared)
    origins, horizon = series.origins("test"), series.meta["horizon"]
    day = origins[:, None] - 24 + np.arange(horizon) % 24
    last = np.repeat(series.y[origins - 1][:, None], horizon, axis=1)
    forecasts = {"last value": last, "seasonal naive": series.y[day]}
    return {name: errors(series, origins, yhat) for name, yhat in forecasts.items()}


def errors(series, origins: np.ndarray, yhat: np.ndarray) -> dict[str, float]:
    """MSE and MAE of forecasts [windows, horizon] of scaled values."""
    rows = origins[:, None] + np.arange(series.meta["horizon"])
    difference = yhat.astype(np.float64) - series.y[rows]
    return {"mse": round(float((difference**2).mean()), 5), "mae": round(float(np.abs(difference).mean()), 5)}


def _of(source: EttFile, cell: Cell, threads: int) -> str:
    return _key(
        source.sha256,
        cell.data.model_dump_json(),
        cell.name,
        cell.train.model_dump_json(exclude_none=True),
        str(threads),
    )


@functools.cache
def made_by() -> str:
    """The code that measures, and the versions of the libraries that it computes with; what they were at first."""
    return json.dumps(code.of(STAGES), sort_keys=True)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join([*parts, made_by()]).encode()).hexdigest()[:12]
