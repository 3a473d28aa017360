"""Training on ranks through the pilot: killed twice on two, it goes on on one, to the bits that nobody disturbed."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from deeprc.applications.forecasting.series import load
from deeprc.core.datasets import fetch
from deeprc.learning.audit import audit, find
from deeprc.learning.origin import uses

pytestmark = pytest.mark.timeout(1200)

STEPS = 150
FILES = {
    "forecasting": ["models/NHITS/model.json", "models/NHITS/weights.safetensors", "predictions/NHITS.arrow"],
    "hydrology": ["model/model.json", "model/weser/weights.safetensors", "predictions.arrow"],
}


def configuration(folder: Path, ranks: int) -> dict:
    """One model of either framework, on so many ranks."""
    training = {"ranks": ranks, "reproducible": "elastic", "checkpoint_steps": 10}
    models = {"NHITS": {"steps": STEPS}}
    data = {"path": str(folder / "slice.csv"), "dataset": "beijing", "horizon": 12, "input_size": 36}
    columns = {"date": "day", "discharge": "flow", "rain": "rain"}
    river = {"path": str(folder / "weser.csv"), "dataset": "csv", "columns": columns, "discharge_unit": "mm/day"}
    network = {"window": 10, "units": 4, "epochs": 12, "patience": 12, "batch_size": 8}
    return {
        "forecasting": {**data, "models": models, "training": training},
        "hydrology": {**river, **network, "training": training},
    }


def write_river(path: Path) -> None:
    """A linear reservoir under random rain, its days in no order."""
    chance, storage, lines = np.random.default_rng(3), 0.0, []
    for number, rain in enumerate(chance.gamma(0.4, 6.0, 400)):
        storage = 0.7 * (storage + rain)
        lines.append(f"{date(2001, 1, 1) + timedelta(number)},{rain:.2f},{storage:.4f}")
    path.write_text("\n".join(["day,rain,flow", *chance.permutation(lines)]) + "\n")


def ranks_of(folder: Path, pipeline: str) -> list[int]:
    """The processes that train below `folder`, but not the shells around them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = str((process / "cwd").readlink())
        except OSError:
            continue
        if f"deeprc.applications.{pipeline}.train".encode() in words and here == str(folder):
            found.append(int(process.name))
    return found


@dataclass
class Killer:
    """Kills a training of two ranks twice, each time after a new checkpoint: one rank, then both."""

    folder: Path
    pipeline: str
    saved: str = ""  # the last checkpoint when it was last killed
    seconds: list[float] = field(default_factory=list)  # from a kill until no rank is there

    def last(self) -> str:
        """The last checkpoint that is whole."""
        checkpoints = self.folder / "results" / self.pipeline / "checkpoints"
        return max((path.parent.name for path in checkpoints.glob("*/step-*/commit.json")), default="")

    def look(self) -> None:
        saved = self.last()
        ranks = ranks_of(self.folder, self.pipeline)
        if len(self.seconds) == 2 or saved <= self.saved or len(ranks) != 2:
            return
        killed = time.monotonic()
        for process in ranks[len(self.seconds) - 1 :]:
            os.kill(process, signal.SIGKILL)
        while set(ranks_of(self.folder, self.pipeline)) & set(ranks) and time.monotonic() - killed < 60:
            time.sleep(0.05)
        self.seconds.append(time.monotonic() - killed)
        self.saved = self.last()  # one may have become whole between the look and the kill


def points(curves: Path) -> list[list[dict]]:
    """Of each training what its curve has, less the times; each step once, and one event file beside it."""
    found = []
    for path in sorted(curves.glob("**/curve.jsonl")):
        found.append([json.loads(line) | {"time": 0} for line in path.read_text().splitlines()])
        steps = [point["step"] for point in found[-1]]
        assert steps == sorted(set(steps)) and len(list(path.parent.glob("events.out.tfevents.*"))) == 1
    return found


def killed(folder: Path, run: Future) -> list[Killer]:
    """Kill both trainings of a run that is begun, until it ends."""
    killers = [Killer(folder, pipeline) for pipeline in FILES]
    while not run.done():
        for killer in killers:
            killer.look()
        time.sleep(0.05)
    return killers


def test_trainings_killed_on_two_ranks_go_on_on_one_to_the_same_bits(snakemake, tmp_path):
    """And give the same forecasts, all of it through the pilot; beside it, on two ranks, some that nobody kills."""
    fetch("beijing", tmp_path / "beijing.csv")
    lines = (tmp_path / "beijing.csv").read_text().splitlines(keepends=True)
    (tmp_path / "slice.csv").write_text("".join(lines[: 120 * 24 + 1]))
    write_river(tmp_path / "weser.csv")
    for ranks in (1, 2):
        (tmp_path / f"{ranks}.yaml").write_text(yaml.safe_dump(configuration(tmp_path, ranks)))
    (quiet := tmp_path / "quiet").mkdir()

    def start(ranks: int, *more: str, folder: Path = tmp_path):
        return snakemake(folder, "--configfile", str(tmp_path / f"{ranks}.yaml"), *more, timeout=540)

    with ThreadPoolExecutor() as aside:
        first = aside.submit(start, 2, "--retries", "1", "--keep-going")
        killers = killed(tmp_path, first)
        done = first.result()
        assert done.returncode != 0
        for killer, label in zip(killers, ("train NHITS", "train the rainfall-runoff LSTM"), strict=True):
            assert len(killer.seconds) == 2, done.stdout
            assert max(killer.seconds) < 10, killer  # no rank waits for a dead one
            print(f"{killer.pipeline}: the last rank ended {killer.seconds} s after the kills")
            assert f"FAILED: {label} (exit code 137, SIGKILL of rank " in done.stdout, done.stdout
        assert "  log: results/logs/forecasting_train_NHITS.log" in done.stdout

        undisturbed = aside.submit(start, 2, folder=quiet)
        done = start(1)
        assert done.returncode == 0, done.stdout
        assert undisturbed.result().returncode == 0, undisturbed.result().stdout
    for killer, log in zip(killers, ("forecasting_train_NHITS.log", "hydrology_train.log"), strict=True):
        told = (tmp_path / "results" / "logs" / log).read_text()
        assert f"goes on after step {int(killer.saved.removeprefix('step-'))}" in told, told
        one, two = (folder / "results" / killer.pipeline for folder in (tmp_path, quiet))
        assert not any((one / "checkpoints").glob("*"))
        for name in FILES[killer.pipeline]:
            assert (one / name).read_bytes() == (two / name).read_bytes(), name
        assert [audit(model).faults for model in find(one)] == [[]]
        curves = [points(each / "curves") for each in (one, two)]
        assert curves[0] == curves[1] and curves[0] and all(curves[0])

    # The ledger leads from a line of the file: the first one is the header.
    series, model = load(tmp_path / "results/forecasting/prepared"), tmp_path / "results/forecasting/models/NHITS"
    (found,) = uses([model], 1500)
    year, month, day, hour = map(int, lines[1499].split(",")[1:5])
    assert series.ds[found.row] == np.datetime64(f"{year}-{month:02}-{day:02}T{hour:02}")
    assert found.samples.tolist() == [*range(found.row - 11, found.row + 37)]  # 12 of its horizon, 36 that go before
    assert len(found.steps) >= 1 and sum(found.epochs.values()) >= len(found.steps)
