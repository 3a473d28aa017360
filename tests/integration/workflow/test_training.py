"""Training on ranks through the pilot: killed on two, it goes on on one, to the bits of two that nobody killed."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from deeprc.applications.config import load_config
from deeprc.core.datasets import fetch
from deeprc.core.files import read_json
from deeprc.learning.audit import audit

pytestmark = pytest.mark.timeout(900)

STEPS = 150


def configuration(folder: Path, ranks: int) -> dict:
    training = {"ranks": ranks, "reproducible": "elastic", "checkpoint_steps": 10}
    models = {"NHITS": {"steps": STEPS}}
    data = {"path": str(folder / "slice.csv"), "dataset": "beijing", "horizon": 12, "input_size": 36}
    return {"pipelines": "forecasting", "forecasting": {**data, "models": models, "training": training}}


def ranks_of(folder: Path) -> list[int]:
    """The processes that train below `folder`, but not the shells around them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = str((process / "cwd").readlink())
        except OSError:
            continue
        if b"deeprc.applications.forecasting.train" in words and here == str(folder):
            found.append(int(process.name))
    return found


def test_a_training_killed_on_two_ranks_goes_on_on_one_to_the_same_bits(snakemake, mpirun, tmp_path):
    fetch("beijing", tmp_path / "beijing.csv")
    lines = (tmp_path / "beijing.csv").read_text().splitlines(keepends=True)
    (tmp_path / "slice.csv").write_text("".join(lines[: 120 * 24 + 1]))
    for ranks in (1, 2):
        (tmp_path / f"{ranks}.yaml").write_text(yaml.safe_dump(configuration(tmp_path, ranks)))

    def start(ranks: int):
        return snakemake(tmp_path, "--configfile", str(tmp_path / f"{ranks}.yaml"), timeout=400)

    checkpoints = tmp_path / "results" / "forecasting" / "checkpoints" / "NHITS"
    with ThreadPoolExecutor() as aside:
        first = aside.submit(start, 2)
        while not any(checkpoints.glob("step-*/commit.json")) and not first.done():
            time.sleep(0.05)
        ranks = ranks_of(tmp_path)
        for process in ranks[-1:]:
            os.kill(process, signal.SIGKILL)
        killed = time.monotonic()
        while ranks_of(tmp_path) and time.monotonic() - killed < 60:
            time.sleep(0.05)
        left = ranks_of(tmp_path)
        done = first.result()
    assert len(ranks) == 2, done.stdout
    assert done.returncode != 0
    assert "FAILED: train NHITS" in done.stdout
    assert not left  # the other rank does not wait for the dead one

    done = start(1)
    assert done.returncode == 0, done.stdout
    log = (tmp_path / "results" / "logs" / "forecasting_train_NHITS.log").read_text()
    assert "goes on after step " in log
    assert not checkpoints.exists()
    model = tmp_path / "results" / "forecasting" / "models" / "NHITS"
    assert audit(model).faults == []

    config = load_config(configuration(tmp_path, 1)).forecasting
    prepared, out = tmp_path / "results" / "forecasting" / "prepared", tmp_path / "NHITS-2"
    arguments = ["--prepared", prepared, "--model", "NHITS", "--config", config.train_json("NHITS"), "--out", out]
    stage = ["-m", "deeprc.applications.forecasting.train", *arguments, "--checkpoints", tmp_path / "c"]
    done = mpirun(2, stage, timeout=300)
    assert done.returncode == 0, done.stderr
    two, one = (read_json(folder / "model.json") for folder in (out, model))
    assert json.dumps(two) == json.dumps(one)
    assert (out / "weights.safetensors").read_bytes() == (model / "weights.safetensors").read_bytes()

    out, options = tmp_path / "NHITS.arrow", ["--prepared", prepared, "--model", model]
    done = mpirun(2, ["-m", "deeprc.applications.forecasting.predict", *options, "--out", out], timeout=300)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == (tmp_path / "results/forecasting/predictions/NHITS.arrow").read_bytes()
