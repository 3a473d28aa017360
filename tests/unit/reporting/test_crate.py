"""The results as an RO-Crate: its profiles hold, it tells what ran, and no secret or home folder."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest

from deeprc.applications.report import main
from deeprc.core.files import read_json, write_json
from deeprc.reporting import tables
from deeprc.reporting.crate import kept, sources, written, zipped
from deeprc.reporting.crate.made import UNSTATED
from deeprc.reporting.crate.opened import NAME
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


def test_one_file_of_it_keeps_the_profiles_too(study):
    graph(study)
    out, metrics = study / "crate.zip", (study / "results" / "metrics.json").read_bytes()
    left = zipped.archive(study / "results", out, largest=0.01)
    assert "report.html" in left and "metrics.json" not in left
    assert issues(out) == []
    with zipfile.ZipFile(out) as archive:
        assert archive.read("metrics.json") == metrics
        assert "report.html" not in archive.namelist()
        whole = {each["@id"]: each for each in json.loads(archive.read(NAME))["@graph"]}
        assert whole["run.json"]["sha256"] == hashlib.sha256(archive.read("run.json")).hexdigest()
    page = next(each for each in whole.values() if each.get("name") == "report.html" and each["@type"] == "File")
    assert page["@id"].startswith("ni:///sha-256;")
    assert page["sha256"] == hashlib.sha256((study / "results" / "report.html").read_bytes()).hexdigest()


def test_one_file_tells_no_home_folder(study, monkeypatch):
    monkeypatch.setenv("HOME", str(study))
    told = read_json(study / "results" / "run.json")
    write_json(study / "results" / "run.json", told | {"command": [f"{study}/bin/snakemake"]})
    shown = (study / "results" / "report.html").read_text()  # as of data that lie in the home folder
    cell = '<th scope="row">{}</th>'
    shown = tables.relinked(shown.replace(cell.format("results/data/beijing.csv"), cell.format(study / "data.csv")))
    (study / "results" / "report.html").write_text(shown)
    graph(study)
    zipped.archive(study / "results", study / "crate.zip")
    with zipfile.ZipFile(study / "crate.zip") as archive:
        assert json.loads(archive.read("run.json"))["command"] == ["~/bin/snakemake"]
        assert not [name for name in archive.namelist() if str(study).encode() in archive.read(name)]
        links = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]*)"', archive.read("report.html").decode())
    assert links and not [link for link in links if str(study).encode() in base64.b64decode(link)]
    assert [link for link in links if b"~/data.csv" in base64.b64decode(link)]


def test_results_that_have_changed_since_are_refused(study):
    graph(study)
    (study / "results" / "metrics.json").write_text("{}")
    with pytest.raises(written.InputError, match="results have changed since their crate was made") as refused:
        zipped.archive(study / "results", study / "crate.zip")
    assert refused.value.found == "metrics.json" and not (study / "crate.zip").exists()


def test_runs_are_told_and_compared(study):
    results, runs = study / "results", study / ".deeprc/runs"
    kept.keep(results, runs)
    [run] = kept.all_of(runs)
    row = run.record()
    tasks = len(read_json(results / "run.json")["tasks"])
    assert (row["run"], row["jobs"]) == ("20260921T140640-7", {"done": tasks, "failed": 0})
    assert row["state"] == "done"
    graph(study)
    zipped.archive(results, study / "crate.zip")
    crate, here = kept.find(str(study / "crate.zip"), runs), kept.find(str(results), runs)
    assert kept.difference(crate, here) == kept.difference(crate, run) == {}
    metrics = read_json(results / "metrics.json")
    metrics["forecasting"]["models"]["NHITS"]["mae"] = 1.5
    old = here.told()["metrics"]["forecasting.models.NHITS.mae"]
    write_json(results / "metrics.json", metrics)
    told = read_json(results / "run.json")
    told["versions"]["numpy"], told["config"]["results"] = "0.1", "elsewhere"
    write_json(results / "run.json", told)
    found = kept.difference(run, kept.find(str(results), runs))
    assert found["metrics"] == {"forecasting.models.NHITS.mae": [old, 1.5]}
    assert found["options"] == {"results": ["results", "elsewhere"]}
    assert found["versions"]["numpy"][1] == "0.1" and found.keys() == {"metrics", "options", "versions"}
    with pytest.raises(kept.ConfigError, match="no run, results folder or crate 2026"):
        kept.find("20260921T140640", runs)


def test_how_a_run_is_is_told_by_its_events(study):
    runs = study / ".deeprc/runs"
    [file] = runs.glob("*/events.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]

    def state(left: list[dict]) -> str:
        file.write_text("".join(json.dumps(each) + "\n" for each in left))
        return kept.all_of(runs)[0].state

    open_ = [each for each in lines if each.get("state") != "closed"]
    assert state(open_) == "killed"
    (file.parent / "environment").touch()  # there as long as the run lives
    assert state(open_) == "running"
    (file.parent / "environment").unlink()
    last = [each for each in lines if each.get("state") == "finished"][-1]
    assert state([*lines, {**last, "state": "submitted", "rule": "more"}]) == "ended early"
    # SIGTERM lets what runs end: what was never handed over is left, which only the run knew.
    end = {"event": "end", "time": lines[-1]["time"]}
    assert state([*lines, {**end, "left": 4}]) == "ended early"
    assert state([*lines, {**end, "left": 0}]) == "done"
    failed = {**last, "state": "failed", "rule": "more", "exit": 1}
    assert state([*lines, failed]) == state([*lines, failed, {**end, "left": 1}]) == "failed"
    assert state([*lines, failed, {**failed, "state": "finished", "exit": 0, "attempt": 2}]) == "done"
