"""The page and the two JSON files: what is in them, for whatever is there or missing."""

from __future__ import annotations

import json
import re

import pytest

from deeprc.errors import ConfigError, InputError
from deeprc.files import read_json
from deeprc.reporting.render import main
from samples.page import Parts
from samples.results import HOSTILE, MODELS, write_events, write_results


@pytest.fixture
def report(tmp_path, monkeypatch):
    """`report(**options)` renders into tmp_path/results and gives the page's parts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPRC_RUN", raising=False)

    def render(**options) -> Parts:
        results = tmp_path / "results"
        main(results, forecasting=results / "forecasting", hydrology=results / "hydrology", **options)
        return Parts((results / "report.html").read_text())

    return render


def test_everything_is_there(tmp_path, report):
    write_results(tmp_path, days=20)
    write_events(tmp_path)
    page = report()
    for expected in (
        "NBEATS forecasts pm2.5 with 33 % less error than the best naive forecast",
        "9 of 11",
        "better than neither: VanillaTransformer",
        "0.70 · −0.30",
        "2 min 18 s",
        "24 hours ahead",
        "30 tasks on 2 cores of node-1, site localhost",
        "All stages ( 30 )",
    ):
        assert expected in page.text.replace("(30)", "( 30 )"), expected
    plots = [attributes["id"] for tag, attributes in page.elements if attributes.get("class") == "plot"]
    assert plots == ["ranking", "forecasts", "lead-time", "hydrograph-1", "hydrograph-2", "timeline"]


def test_models_are_sorted_with_the_naive_forecasts_among_them_and_the_bad_ones_flagged(tmp_path, report):
    write_results(tmp_path, days=3)
    page = report()
    rows = [attributes["class"] for tag, attributes in page.elements if tag == "tr" and "class" in attributes]
    assert rows == ["both"] * 9 + ["naive", "one", "naive", "neither"]
    assert page.text.count("✓ better than both naive forecasts") == 9
    assert page.text.count("✕ better than neither") == 1


def test_training_times_come_from_the_events(tmp_path, report):
    write_results(tmp_path, days=3)
    assert "12 s" not in report().text
    write_events(tmp_path)
    assert report().text.count(" 12 s ") >= len(MODELS)


@pytest.mark.parametrize(("present", "absent"), [("forecasting", "hydrology"), ("hydrology", "forecasting")])
def test_either_application_may_be_missing(tmp_path, report, present, absent):
    results = write_results(tmp_path, days=3)
    (results / absent / "metrics.json").unlink()
    page = report()
    assert f"The {absent} pipeline was not part of this run" in page.text
    assert list(read_json(results / "metrics.json")) == [present]
    assert {attributes["id"] for tag, attributes in page.elements if tag == "section" and "id" in attributes} == {
        present,
        "run",
        "provenance",
    }


def test_without_events_the_report_says_so(tmp_path, report):
    write_results(tmp_path, days=3)
    assert "No events were recorded" in report().text
    about = read_json(tmp_path / "results" / "run.json")
    assert (about["run"], about["overhead"], about["tasks"], about["site"]) == (None, None, [], None)


def test_without_predictions_and_checks_the_tables_stay(tmp_path, report):
    results = write_results(tmp_path, days=3)
    for path in [*results.rglob("*.arrow"), *results.rglob("check.json")]:
        path.unlink()
    page = report()
    assert "The predictions' files are missing" in page.text
    assert "The predictions' file is missing" in page.text
    assert "24 steps ahead" in page.text
    assert read_json(results / "run.json")["data"] == []


def test_nothing_to_report_is_an_error(tmp_path, report):
    with pytest.raises(InputError, match="nothing to report"):
        report()
    assert not (tmp_path / "results").exists()


def test_a_configuration_that_is_no_json_is_an_error(tmp_path, report):
    write_results(tmp_path, days=3)
    with pytest.raises(ConfigError, match="--config"):
        report(config="{")


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("forecasting/metrics.json", "{}", "the key 'models' is missing"),
        ("hydrology/metrics.json", '{"a":\n!}', "metrics.json:2: not JSON"),
    ],
)
def test_bad_metrics_are_named_and_earlier_reports_stay(tmp_path, report, file, content, problem):
    results = write_results(tmp_path, days=3)
    report()
    before = (results / "report.html").read_bytes()
    (results / file).write_text(content)
    with pytest.raises(InputError, match=re.escape(problem)):
        report()
    assert (results / "report.html").read_bytes() == before


def test_metrics_are_joined_and_the_same_each_time(tmp_path, report):
    results = write_results(tmp_path, days=3)
    write_events(tmp_path)
    report()
    first = (results / "metrics.json").read_bytes()
    joined = json.loads(first)
    for name in ("forecasting", "hydrology"):
        assert joined[name] == read_json(results / name / "metrics.json")
    report()
    assert (results / "metrics.json").read_bytes() == first


def test_an_earlier_stage_keeps_its_times_and_the_newest_run_is_told_apart(tmp_path, report):
    write_results(tmp_path, days=3)
    write_events(tmp_path, run="old")
    write_events(tmp_path, run="new", begin=1_790_010_000.0, rules=(("forecasting_train", {"model": "NHITS"}),))
    page = report()
    assert "1 task on 2 cores of node-1, site localhost; 29 stages of earlier runs stood" in page.text
    assert page.text.count(" old ") == 29


def test_a_failed_task_is_announced(tmp_path, report):
    write_results(tmp_path, days=3)
    file = write_events(tmp_path) / "20260921T140640-7" / "events.jsonl"
    lines = file.read_text().splitlines()
    failed = json.loads(lines[10]) | {"state": "failed", "exit": 3}
    file.write_text("\n".join([*lines[:10], json.dumps(failed), *lines[11:]]))
    assert f"1 task of the newest run failed: {failed['label']} (exit 3, log {failed['log']})" in report().text


def test_hostile_names_stay_text(tmp_path, report):
    write_results(tmp_path, hostile=True, days=3)
    rules = (("forecasting_train", {"model": HOSTILE}), (HOSTILE, {}))
    write_events(tmp_path, host=HOSTILE, label=HOSTILE.replace("{", "{{").replace("}", "}}"), rules=rules)
    clean = {"html", "head", "meta", "title", "style", "body", "script", "main"}
    page = report(config=json.dumps({"a": HOSTILE}))
    tags = [tag for tag, _ in page.elements]
    assert "img" not in tags
    # plotly, the page's own script and one block of data per chart: nothing came in through a name
    assert tags.count("script") == 2 + 6
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert HOSTILE in page.text
    assert clean <= set(tags)


def test_the_page_needs_nothing_else(tmp_path, report):
    write_results(tmp_path, days=3)
    page = report()
    for tag, attributes in page.elements:
        assert not {"src", "srcset"} & set(attributes), (tag, attributes)
        assert attributes.get("href", "#").startswith("#"), (tag, attributes)
        assert tag not in ("link", "iframe", "object")
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
