"""The page and the two JSON files: what is in them, for whatever is there or missing."""

from __future__ import annotations

import json
import re
import sys

import pytest

from deeprc.applications.report import main
from deeprc.core.errors import ConfigError, InputError
from deeprc.core.files import read_json
from deeprc.reporting import page
from deeprc.reporting.section import Section
from samples.page import Parts
from samples.results import HOSTILE, MODELS, write_events, write_results


@pytest.fixture
def report(tmp_path, monkeypatch):
    """`report(**options)` renders into tmp_path/results and gives the page's parts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPRC_RUN", raising=False)

    def render(**options) -> Parts:
        results = tmp_path / "results"
        main([f"{name}={results / name}" for name in ("forecasting", "hydrology")], results, **options)
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
        "where 80 % are wanted",
        "NBEATS 28.6 0.286 90 % 120 under 1 % wide: 80 %",
        "GRU 35.0 0.350 82 % 147 under 1 % as wanted",
        "VanillaTransformer 58.6 0.586 70 % 246 under 1 % ✕ narrow: 80 %",
        "Shaded: intervals of 80 %.",
        "30 tasks on 2 cores of node-1, site localhost",
        "All stages ( 30 )",
    ):
        assert expected in page.text.replace("(30)", "( 30 )"), expected
    plots = [attributes["id"] for tag, attributes in page.elements if attributes.get("class") == "plot"]
    assert plots == ["ranking", "forecasts", "lead-time", "hydrograph-1", "hydrograph-2", "timeline", "usage"]


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("<section>\n{{ section.values.absent }}</section>", "broken.html.j2:2: the section 'broken' of the report"),
        ("<section>\n\n{% if %}</section>", "broken.html.j2:3: the section 'broken'"),
        ("{{ section.values.given | no_filter }}", "TemplateAssertionError: No filter named 'no_filter'"),
        (None, "TemplateNotFound: broken_guest/broken.html.j2"),
    ],
)
def test_a_template_of_a_guest_that_cannot_be_rendered_is_told_with_its_line(tmp_path, monkeypatch, template, told):
    folder = tmp_path / "broken_guest" / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    if template:
        (folder / "broken.html.j2").write_text(template)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_guest", raising=False)
    section = Section("broken", "Broken", "broken_guest", {"given": 1})
    page.environment.cache_clear()
    with pytest.raises(InputError) as caught:
        page.render([section], run=None, tasks=[], provenance={"config": {}})
    assert told in str(caught.value)


def test_models_are_sorted_with_the_naive_forecasts_among_them_and_the_bad_ones_flagged(tmp_path, report):
    write_results(tmp_path, days=3)
    page = report()
    rows = [attributes["class"] for tag, attributes in page.elements if tag == "tr" and "class" in attributes]
    assert rows == ["both"] * 9 + ["naive", "one", "naive", "neither"]
    assert page.text.count("✓ better than both naive forecasts") == 9
    assert page.text.count("✕ better than neither") == 1


def test_training_times_come_from_the_events(tmp_path, report):
    write_results(tmp_path, days=3)
    assert " 12 s " not in report().text
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
        "before",
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


def test_a_run_of_another_release_is_left_out_and_told(tmp_path, report, capsys):
    write_results(tmp_path, days=3)
    write_events(tmp_path, run="good")
    file = write_events(tmp_path, run="other", begin=1_790_010_000.0) / "other" / "events.jsonl"
    file.write_text(file.read_text().replace('"rule"', '"task"', 1))
    page = report()
    told = f"{file.relative_to(tmp_path)}:4: an event 'job' with the unknown field 'task'"
    assert told in capsys.readouterr().err
    assert f"A run could not be read, and is left out: {told}" in page.text
    assert "30 tasks on 2 cores" in page.text
    about = read_json(tmp_path / "results" / "run.json")
    assert (about["run"], about["left_out"]) == ("good", [told])
    with pytest.raises(InputError, match="unknown field 'task'"):
        report(events=file)


def test_each_stage_is_told_with_its_own_command_its_image_and_the_configuration(tmp_path, report):
    write_results(tmp_path, days=3)
    file = write_events(tmp_path) / "20260921T140640-7" / "events.jsonl"
    image = {"variant": "cpu", "digest": f"sha256:{'ab' * 32}", "source": "oras://registry/cpu:1"}
    events = [json.loads(line) for line in file.read_text().splitlines()]
    lines = [event | ({"image": image} if event.get("job") == 3 else {}) for event in events]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = report(config='{"forecasting": {"models": {"NHITS": {"steps": 600, "options": {"blocks": [1, 1]}}}}}')
    for expected in (
        "python -m deeprc.applications.forecasting.prepare started by mpiexec -n 2 bash command.sh",
        f"cpu (1 of 30 stages, from oras://registry/cpu:1) sha256:{'ab' * 32}",
        "forecasting.models.NHITS steps 600, options blocks [1, 1]",
    ):
        assert expected in page.text, expected


def test_failed_attempts_that_others_followed_are_no_failures(tmp_path, report):
    write_results(tmp_path, days=3)
    file = write_events(tmp_path) / "20260921T140640-7" / "events.jsonl"
    lines = file.read_text().splitlines()
    ended = json.loads(lines[10])
    first = ended | {"state": "failed", "exit": 3, "start": ended["start"] - 1, "stop": ended["start"] - 0.5}
    first["time"] = first["stop"]
    lost = json.loads(lines[11]) | {"state": "failed", "start": None, "stop": None, "exit": None, "log": None}
    told = [*lines[:10], json.dumps(first), json.dumps(ended | {"attempt": 2}), json.dumps(lost), *lines[12:]]
    file.write_text("\n".join(told))
    text = report().text
    assert f"1 attempt of the newest run failed and was followed by another: {ended['label']} (attempt 1)" in text
    assert f"1 task of the newest run failed: {lost['label']} (without an exit code)" in text


def test_hostile_names_stay_text(tmp_path, report):
    write_results(tmp_path, hostile=True, days=3)
    rules = (("forecasting_train", {"model": HOSTILE}), (HOSTILE, {}))
    write_events(tmp_path, host=HOSTILE, label=HOSTILE.replace("{", "{{").replace("}", "}}"), rules=rules)
    clean = {"html", "head", "meta", "title", "style", "body", "script", "main"}
    page = report(config=json.dumps({"a": HOSTILE}))
    tags = [tag for tag, _ in page.elements]
    assert "img" not in tags
    # plotly, the page's own script, what it is made from, a block of data per chart: nothing came in through a name
    assert tags.count("script") == 3 + 7
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]
    assert HOSTILE in page.text
    assert clean <= set(tags)


def test_the_page_needs_nothing_else(tmp_path, report):
    write_results(tmp_path, days=3)
    page = report()
    for tag, attributes in page.elements:
        assert not {"src", "srcset"} & set(attributes), (tag, attributes)
        assert attributes.get("href", "#").startswith(("#", "data:text/csv;")), (tag, attributes)
        assert tag not in ("link", "iframe", "object")
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_several_series_have_a_table_a_choice_and_words_of_their_step(tmp_path, report):
    write_results(tmp_path, several=3)
    page = report()
    for expected in (
        "24 months ahead, on the held-out end of each of 3 series",
        "The seasonal naive forecast is the value of 12 months before.",
        "Best model: NBEATS of 3 series.",
        "s001 NBEATS 40.0 0.889 last value 60.0 33 % s002",
        "Error by lead time, over all series",
    ):
        assert expected in page.text, expected
    assert "can be drawn" not in page.text
    assert "24 hours" not in page.text
    assert [attributes for tag, attributes in page.elements if tag == "select"] == [{"data-series": "forecasts"}]


def test_of_many_series_the_page_has_both_ends_and_says_so(tmp_path, report):
    write_results(tmp_path, several=100)
    page = report()
    assert "Listed are the 20 series with the least gain and as many with the most, of 100" in page.text
    assert "6 of 100 series can be drawn" in page.text
    assert sum(tag == "option" for tag, _ in page.elements) == 6
    assert (tmp_path / "results" / "report.html").stat().st_size < 6.5e6
