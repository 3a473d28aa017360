"""What the page says of models beside a linear and a zero-shot forecast."""

import json

import pytest

from deeprc.applications.report import main
from deeprc.core.files import read_json
from samples.page import Parts
from samples.results import write_results


@pytest.fixture
def report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPRC_RUN", raising=False)

    def render() -> Parts:
        main([f"forecasting={tmp_path / 'results' / 'forecasting'}"], tmp_path / "results")
        return Parts((tmp_path / "results" / "report.html").read_text())

    return render


def test_models_that_are_not_better_than_a_reference_are_named_and_flagged(tmp_path, report):
    path = write_results(tmp_path, days=40) / "forecasting" / "metrics.json"
    metrics = read_json(path)
    metrics["references"] = {
        "linear": {"mae": 50.0, "rmse": 80.0, "smape": 60.0, "mase": 1.2},
        "zero-shot": {"mae": 45.0, "rmse": 79.0, "smape": 59.0, "mase": None, "model": "fracast 0.1.0", "windows": 30},
    }
    metrics["models"]["TimesNet"]["worse_than"] = ["last value", "linear", "zero-shot"]
    metrics["models"]["GRU"]["worse_than"] = ["zero-shot"]
    path.write_text(json.dumps(metrics))
    text = report().text
    assert "Not better than linear: TimesNet. (least squares on the same windows)" in text
    told = "(fracast 0.1.0, which never saw these series; compared on 30 of 40 windows)"
    assert f"Not better than zero-shot: GRU and TimesNet. {told}" in text
    assert text.count("✕ worse than linear, zero-shot") == 1 and text.count("✕ worse than zero-shot") == 1
    assert text.count("reference") >= 2


def test_a_reference_that_is_not_there_is_told_with_its_reason(tmp_path, report):
    path = write_results(tmp_path, days=3) / "forecasting" / "metrics.json"
    metrics = read_json(path) | {"references": {}, "not_judged": {"zero-shot": "fracast is not installed"}}
    path.write_text(json.dumps(metrics))
    assert "No zero-shot forecast: fracast is not installed." in report().text
