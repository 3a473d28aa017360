"""`deeprc bench training`, in small."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deeprc.applications.forecasting.speed import made, run
from deeprc.core.errors import DeepRCError

COMMAND = [Path(sys.executable).with_name("deeprc"), "bench", "training"]


def test_it_tells_how_fast_models_learn_and_leaves_nothing(tmp_path):
    small = ["--rows", "400", "--steps", "1", "--turns", "1", "--batch", "8", "--json"]
    done = subprocess.run([*COMMAND, *small], capture_output=True, text=True, timeout=280, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["fit"].keys() == {"MLP", "NHITS", "LSTM"} and told["fit"]["MLP"]["parameters"] == 1_247_328
    for each in told["fit"].values():
        for way in ("deeprc", "neuralforecast"):
            assert each[way]["windows_per_second"] == pytest.approx(8 / each[way]["seconds"], rel=0.1)
            assert 0 < each[way]["seconds"] <= each[way]["whole_seconds"]
        took = [each[way]["seconds"] for way in ("neuralforecast", "deeprc")]
        assert each["ratio"]["median"] == pytest.approx(took[0] / took[1], rel=0.1)
    for name in ("MLP", "LSTM"):
        counts, step = told["gain"][name]["windows_per_second"], told["modes"][name]["step_ms"]
        assert told["gain"][name]["ratio"]["median"] == pytest.approx(counts["2"] / counts["1"], rel=0.05)
        assert told["modes"][name]["ratio"]["median"] == pytest.approx(step["elastic"] / step["fixed"], rel=0.05)
    lines = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines if " on 2 ranks: " in line] == [
        "MLP on 2 ranks", "MLP on 2 ranks", "LSTM on 2 ranks", "LSTM on 2 ranks",
    ]  # fmt: skip
    assert sum(", turn " in line for line in lines) == 3 * 2
    assert [line.split()[0] for line in run.table(told).splitlines()] == [
        *["MLP:", "NHITS:", "LSTM:", "MLP:", "LSTM:", "MLP:", "LSTM:"]
    ]
    assert list(tmp_path.iterdir()) == []


def test_ranks_that_shards_cannot_be_dealt_to_are_refused():
    done = subprocess.run([*COMMAND, "--ranks", "3"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "`reproducible: elastic` cannot train on 3 ranks here" in done.stderr and "--ranks 2 or 4" in done.stderr


def test_a_training_that_fails_is_told_with_its_words(tmp_path):
    with run._training("deeprc", str(tmp_path), 1) as train, pytest.raises(DeepRCError, match="no Arrow file"):
        train({"name": "MLP", "batch": 8, "steps": 1})


def test_both_learn_from_the_same_windows(tmp_path):
    """All that lie in the rows to learn from; NeuralForecast is given these rows, and no other."""
    made.write(tmp_path, 400)
    series = made.read(tmp_path)
    with made.with_mlp():
        rows = made.problem("MLP", series).rows
    assert len(rows) == made.SERIES * (400 - made.PAST - made.AHEAD + 1)
    each = 400 + made.AHEAD
    assert [begin for begin, *_ in series.bounds] == [each * number for number in range(made.SERIES)]
    assert np.abs(series.y.mean()) < 0.1 and "MLP" not in made.ZOO
