"""Every model of the zoo learns from real windows; training and forecasts are the same at every run."""

import copy
import itertools
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from deeprc.applications.forecasting.config import DataConfig, ForecastingConfig
from deeprc.applications.forecasting.network import Forecaster, Windows, forecast
from deeprc.applications.forecasting.series import load
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.core.errors import ConfigError
from deeprc.core.files import read_json
from deeprc.core.validation import validate
from deeprc.learning.torch.loop import make_deterministic
from samples.peers import on_ranks
from samples.series import CONFIG as SEVERAL
from samples.series import made_up, write_series


def stage(name: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"deeprc.applications.forecasting.{name}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def series(prepared):
    return load(prepared)


@pytest.mark.parametrize("name", ZOO)
def test_model_learns(series, name):
    """Twenty steps on one batch must lower its loss; the forecast has quantiles for each window and hour."""
    make_deterministic(1, 1)
    network = Forecaster(name, ZOO[name].options, series.meta, intervals=[80])
    batch = Windows(series, series.origins("train")[:320:10])
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    network.eval()
    with torch.inference_mode():
        before = network.loss(batch).item()
    network.train()
    for _ in range(20):
        optimizer.zero_grad()
        network.loss(batch).backward()
        optimizer.step()
    network.eval()
    with torch.inference_mode():
        assert network.loss(batch).item() < before
        forecast = network(batch)
    assert forecast.shape == (32, 12, 3)
    assert (forecast[..., 2] - forecast[..., 0]).mean() > 0.1
    assert torch.isfinite(forecast).all()


@pytest.mark.parametrize("intervals", [(), (80,)])
@pytest.mark.parametrize("name", ZOO)
def test_forecast_of_a_window_does_not_depend_on_the_others_nor_on_the_future(series, name, intervals):
    make_deterministic(1, 1)
    network = Forecaster(name, ZOO[name].options, series.meta, intervals=intervals)
    origins = series.origins("train")[:8]
    together, alone = forecast(network, series, origins), forecast(network, series, origins[3:4])
    assert np.allclose(together[3], alone[0], atol=1e-4)
    batch = Windows(series, origins)
    with torch.inference_mode():
        blind = Windows(series, origins)
        blind["y"] = torch.full_like(batch["y"], 1e6)
        assert torch.equal(network(batch), network(blind))


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize(("name", "intervals"), [("GRU", ()), ("GRU", (80, 95)), ("DeepAR", (80,))])
def test_forecasts_shared_over_ranks_are_the_same_bits(series, monkeypatch, name, intervals, ranks):
    monkeypatch.setattr("deeprc.applications.forecasting.network.BATCH", 7)
    make_deterministic(1, 1)
    network = Forecaster(name, ZOO[name].options, series.meta, intervals=intervals)
    origins = series.origins("test")[:40]  # six batches, the last of five
    one = forecast(network, series, origins)
    # These ranks are threads: each has a network of its own, since DeepAR's keeps a state while it forecasts.
    own = [copy.deepcopy(network) for _ in range(ranks)]
    shared = on_ranks(ranks, lambda peers: forecast(own[peers.rank], series, origins, peers))
    assert all(np.array_equal(one, found) for found in shared)


CORNERS = [(1, 1), (2, 1), (24, 1), (1, 2), (2, 2), (3, 3), (1, 3), (1, 4), (2, 5), (1, 30), (30, 5)]


@pytest.mark.parametrize("name", ZOO)
def test_the_smallest_windows_work_or_are_refused_by_name(name):
    """Whatever the configuration accepts can be trained and used: a horizon or input size of one, no covariates."""
    least = ZOO[name].smallest_input
    for horizon, input_size in [*CORNERS, (1, least)]:
        if input_size < least:
            with pytest.raises(ConfigError, match=rf"input_size {input_size} is too small for {name} \({least}\)"):
                validate(ForecastingConfig, {"models": name, "input_size": input_size, "horizon": horizon}, where="x")
            continue
        for covariates in (0, 1):
            make_deterministic(1, 1)
            series = made_up(horizon, input_size, covariates)
            intervals = [80] * (covariates == horizon % 2)
            network = Forecaster(name, ZOO[name].options, series.meta, intervals=intervals)
            origins = series.origins("train")[:3]
            first = series.together(origins) if ZOO[name].joint else origins
            optimizer = torch.optim.Adam(network.parameters(), 1e-3)
            network.train()
            loss = network.loss(Windows(series, first))
            loss.backward()
            optimizer.step()
            yhat = forecast(network, series, origins)
            assert yhat.shape == (3, horizon, 3) if intervals else (3, horizon)
            assert np.isfinite(yhat).all(), (horizon, input_size, covariates)


def test_windows_are_cut_as_promised(series):
    origin = int(series.origins("train")[5])
    batch = Windows(series, np.array([origin]))
    assert np.array_equal(batch["past"][0], series.y[origin - 36 : origin])
    assert np.array_equal(batch["y"][0], series.y[origin : origin + 12])
    assert np.array_equal(batch["mask"][0], series.usable[origin : origin + 12])
    for name, end in (("history", origin), ("future", origin + 12)):
        columns = [series.rows.column(column)[origin - 36 : end] for column in series.meta[name]]
        assert np.array_equal(batch[name][0], np.stack(columns, axis=1))


def test_parts_do_not_overlap_and_training_sees_no_later_part(series):
    train, val, test = (series.origins(part) for part in ("train", "val", "test"))
    _, first, second, _ = series.bounds[0]
    assert train[0] == 36
    assert train[-1] + 12 == first == val[0]
    assert val[-1] + 12 == second == test[0]
    assert test[-1] + 12 <= series.meta["rows"]


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    """Two quick models, trained, used and judged by the stages, twice with the same seed, side by side."""
    config = ForecastingConfig(models=["NHITS", "GRU"], steps=12, intervals=[95, 50])

    def run(base):
        for name in config.models:
            options = ["--prepared", prepared, "--model", name, "--config", config.train_json(name)]
            done = stage("train", *options, "--out", base / "models" / name)
            assert done.returncode == 0, done.stderr
            options = ["--prepared", prepared, "--model", base / "models" / name]
            done = stage("predict", *options, "--out", base / "predictions" / f"{name}.arrow")
            assert done.returncode == 0, done.stderr
        files = sorted((base / "predictions").iterdir())
        done = stage("evaluate", "--prepared", prepared, "--out", base / "metrics.json", *files)
        assert done.returncode == 0, done.stderr
        return base

    with ThreadPoolExecutor() as both:
        return list(both.map(run, [tmp_path_factory.mktemp(name) for name in ("a", "b")]))


def test_a_second_run_gives_the_same_bits(trained):
    a, b = trained
    for name in ("metrics.json", "predictions/GRU.arrow", "predictions/NHITS.arrow", "models/GRU/model.json"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
    weights = [load_file(base / "models" / "GRU" / "weights.safetensors") for base in trained]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_metrics_count_observed_hours_only(trained, series):
    metrics = read_json(trained[0] / "metrics.json")
    table = pa.ipc.open_file(str(trained[0] / "predictions" / "GRU.arrow")).read_all()
    y, yhat = (table[name].to_numpy() for name in ("y", "yhat"))
    known = ~np.isnan(y)
    assert metrics["hours"] == known.sum()
    assert metrics["models"]["GRU"]["mae"] == pytest.approx(np.abs(y - yhat)[known].mean(), rel=1e-5)
    assert metrics["windows"] * 12 == len(y)
    assert set(metrics["naive"]) == {"last value", "seasonal naive"}
    ((mean, deviation),) = series.scale
    last = np.repeat(series.y[series.origins("test", stride=12) - 1] * deviation + mean, 12)
    assert metrics["naive"]["last value"]["mae"] == pytest.approx(np.abs(y - last)[known].mean(), rel=1e-4)


def test_intervals_are_columns_of_the_forecasts_and_are_judged(trained):
    found = read_json(trained[0] / "metrics.json")["models"]["GRU"]
    table = pl.read_ipc(trained[0] / "predictions" / "GRU.arrow")
    names = ["q0.025", "q0.25", "yhat", "q0.75", "q0.975"]
    assert table.columns == ["id", "origin", "ds", "step", "y", *names]
    for one, other in itertools.pairwise(names):
        assert (table[one] <= table[other]).all()
    known = table.filter(pl.col("y").is_not_null())
    for percent, (lower, upper) in {"50": ("q0.25", "q0.75"), "95": ("q0.025", "q0.975")}.items():
        within = known.select(pl.col("y").is_between(lower, upper).mean()).item()
        assert found["coverage"][percent] == pytest.approx(within, rel=1e-5)
        assert found["width"][percent] == pytest.approx((known[upper] - known[lower]).mean(), rel=1e-5)
    losses = [
        (known["y"] - known[name]).map_elements(lambda e, q=q: 2 * max(q * e, (q - 1) * e), pl.Float64).sum()
        for name, q in zip(names, (0.025, 0.25, 0.5, 0.75, 0.975), strict=True)
    ]
    assert found["wql"] == pytest.approx(sum(losses) / 5 / known["y"].abs().sum(), rel=1e-5)
    assert 0 <= found["crossed"] <= 1 and found["crps"] > 0


def test_several_series_are_trained_together_and_judged_one_by_one(prepare, tmp_path):
    prepared = prepare(write_series(tmp_path / "several.csv"), SEVERAL, 2)
    config = ForecastingConfig(
        **SEVERAL.model_dump(exclude={"path"}) | {"path": "several.csv", "models": ["GRU"], "steps": 40}
    )
    done = stage(
        "train",
        "--prepared",
        prepared,
        "--model",
        "GRU",
        "--config",
        config.train_json("GRU"),
        "--out",
        tmp_path / "GRU",
    )
    assert done.returncode == 0, done.stderr
    done = stage("predict", "--prepared", prepared, "--model", tmp_path / "GRU", "--out", tmp_path / "GRU.arrow")
    assert done.returncode == 0, done.stderr
    done = stage("evaluate", "--prepared", prepared, "--out", tmp_path / "metrics.json", tmp_path / "GRU.arrow")
    assert done.returncode == 0, done.stderr
    metrics, series = read_json(tmp_path / "metrics.json"), load(prepared)
    assert {key: metrics[key] for key in ("step", "ahead", "season", "season_length")} == {
        "step": "1 month", "ahead": "6 months", "season": 12, "season_length": "12 months",
    }  # fmt: skip
    assert "hours" not in metrics
    table = pl.read_ipc(tmp_path / "GRU.arrow").with_columns(pl.col("id").cast(pl.String))
    raw = pl.read_csv(tmp_path / "several.csv", try_parse_dates=True)
    seen = table.join(raw.select(id="unique_id", ds="ds", true="y"), on=["id", "ds"], how="left", maintain_order="left")
    assert seen["true"].fill_null(-1).to_list() == seen["y"].fill_null(-1).to_list()  # nothing is mixed up
    error = (pl.col("y") - pl.col("yhat")).abs().mean()
    own = dict(table.group_by("id").agg(error).iter_rows())
    assert list(metrics["series"]) == series.ids == sorted(own)
    for name, found in metrics["series"].items():
        assert found["models"]["GRU"]["mae"] == pytest.approx(own[name], rel=1e-5)
        assert found["values"] == table.filter(id=name)["y"].drop_nulls().len()
        assert found["best"] == "GRU"
        # the value of 12 months before, gaps filled, for each of the observed
        begin = series.bounds[series.ids.index(name), 0]
        ours = [origin for origin in series.origins("test", stride=6) if series.ids[series.number(origin)] == name]
        assert min(ours) - 12 >= begin
        rows = np.array(ours)[:, None] + np.arange(6)
        naive = series.unscaled(series.y[rows - 12], np.array(ours))
        known = series.observed[rows]
        mae = np.abs(naive - series.y_raw[rows])[known].mean()
        assert found["naive"]["seasonal naive"]["mae"] == pytest.approx(mae, rel=1e-5)
    mases = [found["models"]["GRU"]["mase"] for found in metrics["series"].values()]
    assert metrics["models"]["GRU"]["mase"] == pytest.approx(np.mean(mases), rel=1e-5)
    assert metrics["models"]["GRU"]["mae"] == pytest.approx(table.select(error).item(), rel=1e-5)


def test_forecasts_of_other_times_are_refused(trained, prepare, slice_of_beijing, tmp_path):
    other = prepare(slice_of_beijing, DataConfig(horizon=6, input_size=36))
    done = stage("evaluate", "--prepared", other, "--out", tmp_path / "m.json", trained[0] / "predictions/GRU.arrow")
    assert done.returncode == 2
    assert f"GRU.arrow: made from other data or options than {other}" in done.stderr
    assert "found: horizon 12 → 6" in done.stderr
    assert not (tmp_path / "m.json").exists()


def test_forecasts_under_the_name_of_another_model_are_refused(trained, prepared, tmp_path):
    shutil.copy(trained[0] / "predictions" / "GRU.arrow", tmp_path / "LSTM.arrow")
    done = stage("evaluate", "--prepared", prepared, "--out", tmp_path / "m.json", tmp_path / "LSTM.arrow")
    assert done.returncode == 2
    assert "LSTM.arrow: forecasts of another model" in done.stderr and "found: GRU" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "m.json").exists()


def test_a_training_that_diverges_ends_in_a_sentence_and_leaves_no_model(prepared, tmp_path):
    config = json.loads(ForecastingConfig(steps=12).train_json("NHITS")) | {"learning_rate": 1e30}
    options = ["--prepared", prepared, "--model", "NHITS", "--config", json.dumps(config)]
    done = stage("train", *options, "--out", tmp_path / "NHITS")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "the training of NHITS has diverged: its " in done.stderr and "of 12, learning rate 1e+30" in done.stderr
    assert done.stderr.rstrip().endswith("for instance to 0.002") and not any(tmp_path.iterdir())


def test_unknown_model_and_option_are_refused_before_anything_is_loaded(tmp_path):
    config = json.loads(ForecastingConfig().train_json("GRU"))
    options = ["--prepared", "no", "--out", tmp_path / "x"]
    done = stage("train", *options, "--model", "GRUU", "--config", json.dumps(config))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "  fix: did you mean 'GRU'?")
    config["options"] = {"encoder_layers": 3}
    done = stage("train", *options, "--model", "GRU", "--config", json.dumps(config))
    assert (done.returncode, "unknown option of GRU 'encoder_layers'" in done.stderr) == (2, True)
