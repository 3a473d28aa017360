"""The bench of accuracy in small: real stages on made-up data of ETT's form."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from deeprc.applications.forecasting.accuracy import cells, protocol, published, run
from deeprc.applications.forecasting.series import load

HOURS, NAMES = 400, ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")


def tiny(horizon):
    own = {"steps": 6, "learning_rate": 1e-3, "batch_size": 8, "validations": 2, "loss": "mse", "level": "none"}
    return 24, "iTransformer", 2, own | {"options": {"hidden_size": 8, "n_heads": 2, "d_ff": 8}}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A file of 500 hours, of which 400 count, and trainings of six steps."""
    chance, hours = np.random.default_rng(1), np.arange(HOURS + 100)
    values = {
        name: 10 * number + np.sin(2 * np.pi * hours / 24) * (number + 1) + chance.normal(size=len(hours)) / 9
        for number, name in enumerate(NAMES)
    }
    times = pl.datetime_range(datetime(2016, 7, 1), interval="1h", end=datetime(2016, 7, 21, 19), eager=True)
    pl.DataFrame({"date": times, **values}).write_csv(tmp_path / "ETTh1.csv", datetime_format="%Y-%m-%d %H:%M:%S")
    for module in (protocol, cells):
        monkeypatch.setattr(module, "TRAIN", 200)
        monkeypatch.setattr(module, "HELD_OUT", 100)
    monkeypatch.setattr(protocol, "SETTINGS", dict.fromkeys(published.MODELS, tiny))
    return tmp_path / "ETTh1.csv", values


def test_a_bench_measures_all_windows_keeps_them_and_goes_on(small, tmp_path, capfd):
    path, values = small
    figures = run.run(path, ["iTransformer"], [96], [1], tmp_path / "cache")
    (row,) = figures["cells"]
    (one,) = row["runs"]
    assert one["windows"] == 7 * (100 - 96 + 1) and row["mse"] == one["mse"]
    assert one["without_the_last_batch"]["batch"] == 2 and one["without_the_last_batch"]["mse"] != one["mse"]
    assert figures["data"]["name"] == "ETTh1" and figures["gate"] in ("met", "missed")
    assert "step     6 of 6" in capfd.readouterr().err  # the training's own words

    # The naive rows by hand, from the file itself: scaled by 200 hours, over every window of the last 100 hours.
    errors = {"last value": [], "seasonal naive": []}
    for series in values.values():
        scaled = (series - series[:200].mean()) / series[:200].std()
        for origin in range(300, 400 - 96 + 1):
            truth, lead = scaled[origin : origin + 96], np.arange(96)
            errors["last value"].append(truth - scaled[origin - 1])
            errors["seasonal naive"].append(truth - scaled[origin - 24 + lead % 24])
    for name, found in figures["naive"]["96"].items():
        assert found["mse"] == pytest.approx(np.mean(np.square(errors[name])), rel=1e-4)
        assert found["mae"] == pytest.approx(np.mean(np.abs(errors[name])), rel=1e-4)

    # Interrupted before the errors were written: the model is there, and not trained again.
    (kept,) = (tmp_path / "cache").glob("iTransformer-96-1-*.json")
    kept.unlink()
    again = run.run(path, ["iTransformer"], [96], [1], tmp_path / "cache")
    (other,) = again["cells"][0]["runs"]
    same = ("mse", "mae", "weights_sha256", "windows", "parameters")
    assert {key: other[key] for key in same} == {key: one[key] for key in same}
    assert "of 6:" not in capfd.readouterr().err
    late = run.run(path, ["iTransformer"], [96, 192], [1], tmp_path / "cache", minutes=0)
    assert late["cells"][0]["mse"] == row["mse"] and late["cells"][1]["verdict"] == "not run"

    (prepared,) = (tmp_path / "cache").glob("prepared-*")
    assert load(prepared).ids == [f"{number} {name}" for number, name in enumerate(NAMES)]  # as in the file
