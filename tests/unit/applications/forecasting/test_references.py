"""What models are judged beside: a linear model and a zero-shot one."""

import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from conftest import ZERO_SHOT
from deeprc.applications.forecasting import zero_shot
from deeprc.applications.forecasting.evaluate import Judge, References
from deeprc.applications.forecasting.references import linear_forecast
from deeprc.applications.forecasting.series import Series
from deeprc.core.errors import InputError
from deeprc.learning.mapped import Mapped
from samples.series import altered, made_up


def waves(rows: int = 700) -> Series:
    """Two series of sums of two waves, which a weighted sum of the past tells exactly; the second in another unit."""
    one = made_up(12, 60, 0)
    time = np.arange(rows)
    y = np.concatenate([np.sin(time / 5) + np.cos(time / 11), np.cos(time / 5) - np.sin(time / 11)])
    scale, half = np.array([[0.0, 1.0], [50.0, 20.0]]), len(y) // 2
    raw = y * np.repeat(scale[:, 1], half) + np.repeat(scale[:, 0], half)
    bounds = np.array([[0, 400, 500, rows], [rows, rows + 400, rows + 500, 2 * rows]])
    every = np.ones(2 * rows, bool)
    columns = {"y": y.astype(np.float32), "y_raw": raw, "usable": every, "observed": every}
    table = pa.table(columns | {"ds": np.arange(2 * rows).astype("datetime64[us]")})
    return replace(one, rows=Mapped(table), bounds=bounds, scale=scale, meta=one.meta | {"season": 7})


def truth(series: Series) -> np.ndarray:
    return series.y_raw[series.origins("test", stride=12)[:, None] + np.arange(12)]


def test_the_linear_model_finds_what_is_linear():
    series = waves()
    error = np.abs(linear_forecast(series) - truth(series))
    assert error[:16].max() < 0.05 and error[16:].max() < 1.0  # in units of 1 and of 20
    assert np.abs(truth(series)[:16]).max() > 1.5


def test_the_linear_model_learns_from_the_training_part_and_from_known_rows_alone():
    """Whatever stands later, or is not usable, changes none of its weights."""
    series = waves()
    expected = linear_forecast(series)
    later, odd = series.y.copy(), np.arange(len(series.y))
    later[:400][350:380] = 1e4
    unusable = series.usable & ~((odd >= 350) & (odd < 380))
    hidden = linear_forecast(altered(series, y=later, usable=unusable))
    seen = linear_forecast(altered(series, y=later))
    assert np.abs(seen - expected).max() > 0.5
    assert np.isfinite(hidden).all()
    validation = series.y.copy()
    validation[400:430] = 1e4  # 70 rows before the first window of the test part, which sees 60
    assert np.array_equal(linear_forecast(altered(series, y=validation)), expected)
    assert linear_forecast(altered(series, usable=np.zeros_like(series.usable))) is None


def test_every_model_is_told_what_it_is_not_better_than(monkeypatch):
    """Beside the zero-shot model on its own windows: a model that is good elsewhere is not better there."""
    series = waves()
    judge, numbers = Judge.of(series), np.array([0, 20])
    monkeypatch.setattr(zero_shot, "absent", lambda: None)
    monkeypatch.setattr(zero_shot, "chosen", lambda series: numbers)
    monkeypatch.setattr(zero_shot, "zero_shot_forecast", lambda series, numbers, say: truth(series)[numbers] + 0.5)
    found = References.of(series, judge)
    assert set(found.rows) == {"linear", "zero-shot"} and not found.absent
    assert found.rows["zero-shot"]["mae"] == 0.5 and found.rows["zero-shot"]["windows"] == 2
    good = truth(series)
    bad = good + 1.0
    there = good.copy()
    there[numbers] += 0.6
    told = {name: found.better_than(judge.all(yhat), yhat) for name, yhat in (("bad", bad), ("there", there))}
    assert told["bad"] == ["linear", "zero-shot"] and "zero-shot" in told["there"]
    assert found.better_than(judge.all(good), good) == []


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(zero_shot, "PACKAGE", "no-such-package")
    found = References.of(waves(), Judge.of(waves()))
    assert found.absent == {"zero-shot": "no-such-package is not installed: pip install 'deeprc[zero-shot]'"}
    assert set(found.rows) == {"linear"}


def test_windows_are_chosen_evenly_and_each_has_a_past():
    series = waves()
    assert zero_shot.chosen(series).tolist() == list(range(32))
    blind = series.observed.copy()
    blind[:700][: 500 + 3 * 12] = False  # the first series is not known before its fifth window, but for one
    numbers = zero_shot.chosen(altered(series, observed=blind))
    assert numbers.tolist() == list(range(4, 32))


@pytest.fixture
def installed(monkeypatch):
    """The zero-shot model, as if it were in the environment."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ZERO_SHOT)])
    assert zero_shot.absent() is None


@pytest.mark.requires("zero-shot")
def test_the_zero_shot_model_forecasts_a_season_and_sees_no_future(installed):
    season = waves()
    hours = np.arange(len(season.y)) % 700
    raw = 20 + 5 * np.sin(2 * np.pi * hours / 24)
    raw[30:33] = np.nan
    season = altered(season, y_raw=raw, observed=~np.isnan(raw))
    numbers, said = zero_shot.chosen(season)[[3, 20]], []
    found = zero_shot.zero_shot_forecast(season, numbers, said.append)
    assert np.abs(found - truth(season)[numbers]).mean() < 1.0  # a last value would be off by more than 3
    assert said == ["zero-shot: 2 of 2 windows"]
    origin = season.origins("test", stride=12)[numbers[0]]
    later = raw.copy()
    later[origin:700] = 1e3
    assert np.array_equal(
        zero_shot.zero_shot_forecast(altered(season, y_raw=later), numbers[:1], said.append), found[:1]
    )


@pytest.mark.requires("zero-shot")
def test_other_weights_are_refused(installed, monkeypatch):
    monkeypatch.setattr(zero_shot, "WEIGHTS", "0" * 64)
    with pytest.raises(InputError, match="the zero-shot model is not the one that is known here"):
        zero_shot.zero_shot_forecast(waves(), np.array([0]), print)
