"""The results as an RO-Crate: its profiles hold, it tells what ran, and no secret or home folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from deeprc.applications.report import main
from deeprc.core.files import read_json, write_json
from deeprc.reporting.crate import sources, written
from deeprc.reporting.crate.made import NAME, UNSTATED
from deeprc.reporting.crate.plain import hiding
from samples.results import write_events, write_results
from samples.validated import issues


@pytest.fixture
def study(tmp_path, monkeypatch) -> Path:
    """A study whose report is made: its folder, which is the working one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEEPRC_RUN", raising=False)
    write_results(tmp_path, days=20)
    write_events(tmp_path)
    results = tmp_path / "results"
    pairs = [f"{name}={results / name}" for name in ("forecasting", "hydrology")]
    main(pairs, results, config='{"results": "results"}')
    (tmp_path / "workflow" / "rules").mkdir(parents=True)
    (tmp_path / "workflow" / "Snakefile").write_text("rule all: pass\n")
    (tmp_path / "workflow" / "rules" / "a.smk").write_text("# a\n")
    return tmp_path


def graph(study: Path, settings: object = None) -> dict[str, dict]:
    """The entities by their ids, of a crate just made."""
    flow = study / "workflow"
    runs, others = study / ".deeprc/runs", [flow / "rules/a.smk"]
    found = written.write(study / "results", runs, flow / "Snakefile", others, settings)
    assert found == study / "results" / NAME
    return {each["@id"]: each for each in read_json(found)["@graph"]}


def test_its_profiles_hold(study):
    graph(study)
    assert issues(study / "results") == []


def test_the_validator_would_tell(study):
    whole = read_json(study / "results" / NAME) if graph(study) else None
    for each in whole["@graph"]:
        if each["@type"] == "HowToStep":
            del each["workExample"]
    write_json(study / "results" / NAME, whole)
    assert any("HowToStep must refer to its corresponding tool" in each for each in issues(study / "results"))


def test_each_job_has_its_command_step_and_outcome(study):
    found = graph(study)
    tasks = read_json(study / "results" / "run.json")["tasks"]
    jobs = {key: each for key, each in found.items() if key.startswith("#job-")}
    assert sorted(each["name"] for each in jobs.values()) == sorted(task["label"] for task in tasks)
    assert {each["actionStatus"]["@id"] for each in jobs.values()} == {"http://schema.org/CompletedActionStatus"}
    controls = [each for each in found.values() if each["@type"] == "ControlAction"]
    assert {each["object"]["@id"] for each in controls} == set(jobs)
    rules = {task["rule"] for task in tasks}
    assert {each["name"] for each in found.values() if each["@type"] == "HowToStep"} == rules
    for each in jobs.values():
        assert found[each["instrument"]["@id"]]["name"] in rules


def test_results_and_workflow_stand_with_their_sums(study):
    found, results = graph(study, {"results": "results"}), study / "results"
    for name in ("metrics.json", "run.json", "report.html", "workflow/Snakefile", "workflow/rules/a.smk"):
        assert found[name]["sha256"] == hashlib.sha256((results / name).read_bytes()).hexdigest()
        assert found[name]["contentSize"] == str((results / name).stat().st_size)
    mae = read_json(results / "metrics.json")["forecasting"]["models"]["NHITS"]["mae"]
    assert found["#metric-forecasting.models.NHITS.mae"]["value"] == mae
    assert json.loads((results / sources.CONFIG).read_text()) == {"results": "results"}


def test_nobody_is_named_who_is_not_known(study):
    found = graph(study)
    assert found["./"]["license"] == UNSTATED
    assert not [each for each in found.values() if each["@type"] in ("Person", "Organization")]
    assert "author" not in found["./"] and "agent" not in found[next(key for key in found if key.startswith("#run-"))]


def test_a_citation_file_says_whose_it_is(study):
    told = "title: Loads\nlicense: CC-BY-4.0\nauthors: [{given-names: Ada, family-names: Lovelace}]\n"
    (study / "CITATION.cff").write_text(told)
    found = graph(study)
    assert found["./"]["license"] == found["workflow/Snakefile"]["license"] == "CC-BY-4.0"
    assert found[found["./"]["author"][0]["@id"]]["name"] == "Ada Lovelace"
    (study / "CITATION.cff").write_text(told.replace("Loads", "Deep RC"))
    assert graph(study)["./"]["license"] == UNSTATED


def test_secrets_and_the_home_folder_are_not_told():
    given, environment = {"mine": {"api_key": "k3y-of-nobody-else"}}, {"MY_TOKEN": "t0ken-77x-81"}
    hide = hiding(given, home=Path("/home/ada"), environment=environment)
    assert hide("python /home/ada/x.py /home/adam --key k3y-of-nobody-else") == "python ~/x.py /home/adam --key ***"
    assert hide({"url": "https://ada:pa55@example.org/x", "at": ["/home/ada", "t0ken-77x-81"]}) == {
        "url": "https://ada:***@example.org/x", "at": ["~", "***"],
    }  # fmt: skip
    assert hide({"password": "a"}) == {"password": "***"}


def test_a_run_without_events_has_none(study):
    for path in (study / ".deeprc/runs").glob("*/events.jsonl"):
        path.unlink()
    with pytest.raises(written.InputError, match="no events of a run"):
        graph(study)
    assert not (study / "results" / NAME).exists()
