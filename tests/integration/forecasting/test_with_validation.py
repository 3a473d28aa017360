"""Trainings that learn from the validation part, too."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deeprc.applications.forecasting.network import Forecaster
from deeprc.applications.forecasting.problem import ForecastProblem
from deeprc.applications.forecasting.series import load
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.learning.audit import audit
from samples.series import made_up

OPTIONS = {"steps": 40, "learning_rate": 2e-3, "batch_size": 256, "with_validation": True}


@pytest.mark.parametrize("name", ["NHITS", "iTransformer"])
def test_the_windows_are_all_those_before_the_test_part(name):
    """Of each series, or of all together; those that begin in the training part and end in the next, too."""
    series = replace(made_up(4, 9, 0), bounds=np.array([[0, 40, 50, 60], [60, 100, 110, 120]]))
    rows = {
        both: ForecastProblem(
            Forecaster(name, ZOO[name].options, series.meta), series, with_validation=both
        ).rows.tolist()
        for both in (False, True)
    }
    length, horizon = series.meta["input_size"], series.meta["horizon"]
    for both, part in ((False, 1), (True, 2)):
        assert rows[both] == [
            row
            for bounds in series.bounds[: 1 if ZOO[name].joint else None]
            for row in range(bounds[0] + length, bounds[part] - horizon + 1)
        ]


def train(mpirun, ranks, prepared, out, **options):
    """What the stage says."""
    given = json.dumps(OPTIONS | {"reproducible": "elastic", "shards": 2} | options)
    arguments = ["--prepared", prepared, "--model", "DLinear", "--config", given, "--out", out]
    arguments += ["--checkpoints", out.with_name(f"{out.name}-saved"), "--how", '{"checkpoint_steps": 5}']
    done = mpirun(ranks, ["-m", "deeprc.applications.forecasting.train", *arguments])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_last_weights_are_kept_each_sample_is_counted_and_nothing_is_called_validated(mpirun, prepared, tmp_path):
    said = train(mpirun, 1, prepared, tmp_path / "one")
    assert "validation" not in said and "nothing held out" in said
    about = json.loads((tmp_path / "one" / "model.json").read_text())
    assert (about["validation_loss"], about["best_step"], about["with_validation"]) == ([], 40, True)
    assert [step for step, _ in about["training_loss"]] == [7, 13, 20, 27, 33, 40]
    verdict, series = audit(tmp_path / "one"), load(prepared)
    windows = int((series.bounds[:, 2] - series.bounds[:, 0]).sum()) - 36 - 12 + 1
    assert verdict.faults == [] and verdict.epochs * windows + verdict.rest == 40 * 256
    train(mpirun, 2, prepared, tmp_path / "two")
    two = json.loads((tmp_path / "two" / "model.json").read_text())
    assert two["weights_sha256"] == about["weights_sha256"]
    train(mpirun, 1, prepared, tmp_path / "held", with_validation=False)
    assert json.loads((tmp_path / "held" / "model.json").read_text())["weights_sha256"] != about["weights_sha256"]
