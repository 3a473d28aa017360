import json

import polars as pl
import pytest

from deeprc.applications.forecasting.accuracy import cells, published, run
from deeprc.applications.forecasting.accuracy.protocol import HELD_OUT, SETTINGS, TRAIN, cell, data
from deeprc.applications.forecasting.splits import cut
from deeprc.applications.forecasting.zoo import check_options
from deeprc.core.errors import ConfigError, InputError

EVERY = [(model, horizon) for model in published.MODELS for horizon in published.HORIZONS]


@pytest.mark.parametrize(("model", "horizon"), EVERY)
def test_every_published_row_has_a_training(model, horizon):
    one = cell(model, horizon, 3)
    assert (one.train.seed, one.data.horizon) == (3, horizon)
    check_options(one.name, one.train.options)
    assert set(SETTINGS) == set(published.MODELS) == set(published.ROWS["ETTh2"])


def test_the_split_is_12_4_and_4_months(tmp_path):
    """Computed by the pipeline itself, of the rows that the bench gives it."""
    one = pl.DataFrame({"id": ["OT"], "rows": [TRAIN + 2 * HELD_OUT]})
    edges = cut(one, data(96, 336), tmp_path).row(0, named=True)
    assert edges == {"id": "OT", "begin": 0, "val": 8640, "test": 11520, "end": 14400}


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [(0.0, "within"), (0.01, "within"), (-0.01, "within"), (0.01001, "worse"), (-0.01001, "better")],
)
def test_the_tolerance(difference, verdict):
    assert run.verdict(difference) == verdict


def test_a_row_is_the_mean_of_its_seeds_and_not_run_where_one_is_missing():
    runs = [{"seed": 1, "mse": 0.37, "mae": 0.4}, {"seed": 2, "mse": 0.4, "mae": 0.41}]
    found = run.row("ETTh1", "DLinear", 96, runs, 2)
    assert {key: found[key] for key in ("mse", "mae", "difference", "verdict")} == {
        "mse": 0.385, "mae": 0.405, "difference": 0.01, "verdict": "within",
    }  # fmt: skip
    assert found["published"] == {"mse": 0.375, "mae": 0.399}
    short = run.row("ETTh1", "DLinear", 96, runs[:1], 2)
    assert short["verdict"] == "not run" and "mse" not in short


def test_the_gate():
    def of(*verdicts):
        return run.gate([{"verdict": verdict} for verdict in verdicts])

    assert [of("within", "better"), of("within", "not run"), of("not run", "worse")] == ["met", "not run", "missed"]


def test_the_table():
    rows = [
        run.row("ETTh1", "TimesNet", 96, [{"mse": 0.391, "mae": 0.41}], 1),
        run.row("ETTh1", "TimesNet", 720, [], 1),
    ]
    naive = {"96": {"last value": {"mse": 1.2943, "mae": 0.713}}}
    assert run.table({"cells": rows, "naive": naive}).splitlines() == [
        "| model | horizon | MSE | published | difference | MAE | published | |",
        "|---|---|---|---|---|---|---|---|",
        "| TimesNet | 96 | 0.391 | 0.384 | +0.007 | 0.410 | 0.402 | within |",
        "| TimesNet | 720 | – | 0.521 | – | – | 0.500 | not run |",
        "| last value | 96 | 1.294 | | | 0.713 | | |",
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ETTm1.csv", "date,OT\n", "these data have no published row here"),
        ("ETTh2.csv", "date,OT\n2016-07-01 00:00:00,1.0\n", "not a file of ETT"),
    ],
)
def test_other_data_are_refused_before_anything_is_trained(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        cells.EttFile.of(path, tuple(published.ROWS), tmp_path).long()


def test_no_model_and_no_horizon_but_those_with_a_row(tmp_path):
    for models, horizons, problem in ((["GRU"], [96], "model 'GRU'"), (["DLinear"], [24], "horizon '24'")):
        with pytest.raises(ConfigError, match=problem):
            run.run(tmp_path / "ETTh1.csv", models, horizons, [1], tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_what_was_measured_is_kept_by_all_that_it_depends_on(tmp_path, monkeypatch):
    """A kept file is taken; another seed, other data, options or libraries have another one."""
    source = cells.EttFile(tmp_path / "ETTh1.csv", "ETTh1", "0" * 64, tmp_path)
    one = cell("DLinear", 96, 1)
    path = cells.kept(source, one, 1)
    path.write_text(json.dumps({"mse": 0.5}))
    assert cells.measured(source, one, 1, lambda line: None) == {"mse": 0.5}
    other = cells.EttFile(source.path, "ETTh1", "1" * 64, tmp_path)
    others = {cells.kept(source, cell("DLinear", 96, 2), 1), cells.kept(source, cell("DLinear", 192, 1), 1)}
    assert len(others | {path, cells.kept(other, one, 1), cells.kept(source, one, 2)}) == 5
    made_by = json.loads(cells.made_by())
    assert {"torch", "neuralforecast", "numpy"} <= made_by["libraries"].keys() and made_by["below"]["deeprc.learning"]
    made_by["libraries"]["torch"] = "3.0"
    monkeypatch.setattr(cells, "made_by", lambda: json.dumps(made_by))
    assert cells.kept(source, one, 1) != path


def test_what_is_kept_is_of_processors_whatever_else_is_there(tmp_path, monkeypatch):
    """The key of what is kept, and the figures' `threads`, know of no GPU, and it is judged on the processor."""
    called = {}
    monkeypatch.setattr(cells, "prepared", lambda source, cell, run: tmp_path)
    monkeypatch.setattr(cells, "stage", lambda name, *given, **more: called.update({name: given}))
    monkeypatch.setattr(cells, "judge", lambda *given: {})
    cells.measured(cells.EttFile(tmp_path, "ETTh1", "0" * 64, tmp_path), cell("DLinear", 96, 1), 1, print)
    given = called[f"{cells.STAGES}.train"]
    assert json.loads(given[given.index("--how") + 1])["device"] == "cpu"
