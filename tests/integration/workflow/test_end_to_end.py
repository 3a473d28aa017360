"""Both pipelines on real data through Snakemake and a real pilot: the run that `make run` makes.

The tests of this file share one results folder and go on from each other, in order, since each pilot takes 20 s.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from deeprc.applications.forecasting.config import ForecastingConfig
from deeprc.applications.forecasting.zoo import entry
from deeprc.applications.hydrology.config import HydrologyConfig
from deeprc.core.files import read_json
from deeprc.learning.audit import audit
from samples.validated import issues
from starts import Ended, together

pytestmark = pytest.mark.timeout(1800)  # a run takes about 5 minutes on 2 idle cores

MODELS = set(ForecastingConfig().models)
OF_NHITS = ("results/forecasting/models/NHITS/", "results/forecasting/curves/NHITS/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def first(snakemake, folder):
    """The rivers are learned on two ranks; the runs after it leave that out, which is no reason to learn anew."""
    began = time.monotonic()
    done = snakemake(folder, "--config", "hydrology={training: {ranks: 2}}", timeout=1500)
    done.seconds = time.monotonic() - began
    return done


def products(folder: Path) -> dict[str, int]:
    """The time of change of every product below results/."""
    files = (p for p in (folder / "results").rglob("*") if p.is_file() and "logs" not in p.parts)
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in files if not p.name.startswith(".")}


def test_run_ends_with_the_report(first, folder):
    done = first
    assert done.returncode == 0, done.stdout
    assert f"Report: {folder}/results/report.html" in done.stdout.splitlines()[-4:]
    for name in ("report.html", "metrics.json", "run.json"):
        assert (folder / "results" / name).stat().st_size > 0


def test_the_results_are_a_crate_whose_profiles_hold(first, folder):
    results = folder / "results"
    assert issues(results) == []
    found = {each["@id"]: each for each in read_json(results / "ro-crate-metadata.json")["@graph"]}
    jobs = [each for key, each in found.items() if key.startswith("#job-")]
    assert "write the report" in [each["name"] for each in jobs]
    assert all(found[each["result"][0]["@id"]] for each in jobs)
    assert "no RO-Crate" not in first.stdout


def test_progress_is_told(first):
    output = first.stdout
    for label in ("prepare the air quality data", "train NHITS", "train the rainfall-runoff LSTM", "write the report"):
        assert label in output


def test_eleven_models_are_judged_beside_naive_forecasts(first, folder):
    metrics = read_json(folder / "results" / "metrics.json")["forecasting"]
    assert set(metrics["models"]) == MODELS
    assert len(MODELS) == 11
    naive = min(row["mae"] for row in metrics["naive"].values())
    worst_naive = max(row["mae"] for row in metrics["naive"].values())
    for name, row in metrics["models"].items():
        assert row["beats_naive"] is (row["mae"] < worst_naive), name
    # Honest learning, not luck: most models must beat even the better of the two naive forecasts.
    assert sum(row["mae"] < naive for row in metrics["models"].values()) >= 8


def test_rivers_are_simulated_better_than_their_mean(first, folder):
    basins = read_json(folder / "results" / "metrics.json")["hydrology"]["basins"]
    assert set(basins) == {"fulda", "leaf-river"}
    assert basins["fulda"]["nse"] > 0.5
    assert basins["leaf-river"]["nse"] > 0  # an NSE of 0 is the mean of the observations
    for basin in basins:
        assert audit(folder / "results" / "hydrology" / "model" / basin).faults == []


def test_run_json_has_each_stages_own_command_and_the_configuration_as_it_was_used(first, folder):
    about = read_json(folder / "results" / "run.json")
    assert about["site"]["name"] == "localhost" and about["images"] == []
    stages = {task["label"]: task for task in about["tasks"]}
    assert len(stages) == (2 + 2 * len(MODELS)) + 4  # but the report, which is still at work
    prepare = stages["prepare the air quality data"]
    assert prepare["command"].startswith("python -P -m deeprc.applications.forecasting.prepare --data ")
    assert (prepare["cores"], prepare["nodes"], prepare["ranks"]) == ([0, 1], ["localhost", "localhost"], 2)
    for label in ("train the rainfall-runoff LSTM", "simulate the discharge"):
        assert stages[label]["ranks"] == 2
    for task in about["tasks"]:
        assert (
            task["command"]
            .removeprefix("exec ")
            .startswith(f"python -P -m deeprc.applications.{task['rule'].replace('_', '.')} ")
        )
    used = about["config"]["forecasting"]
    assert used["target"] == "pm2.5" and set(used["models"]) == MODELS
    for name, options in used["models"].items():
        zoo = entry(name)
        expected = (zoo.steps, zoo.learning_rate, zoo.batch_size, zoo.options)
        assert tuple(options[key] for key in ("steps", "learning_rate", "batch_size", "options")) == expected
    assert about["config"]["hydrology"]["epochs"] == HydrologyConfig().epochs


def test_nothing_to_do_is_quick_and_needs_no_pilot(first, snakemake, folder):
    runs = sorted((folder / ".deeprc" / "runs").iterdir())
    before = products(folder)
    started = time.monotonic()
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    assert time.monotonic() - started < first.seconds / 5  # 5 s of 5 minutes
    assert "Nothing to be done" in done.stdout
    assert products(folder) == before
    assert sorted((folder / ".deeprc" / "runs").iterdir()) == runs


def test_a_deleted_model_redoes_only_what_depends_on_it_with_the_same_numbers(first, snakemake, folder):
    before, metrics = products(folder), (folder / "results" / "metrics.json").read_bytes()
    shutil.rmtree(folder / "results" / "forecasting" / "models" / "NHITS")
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    after = products(folder)
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {
        *(name for name in before if name.startswith((*OF_NHITS, "results/workflow/", "results/tables/"))),
        "results/ro-crate-metadata.json",
        "results/forecasting/predictions/NHITS.arrow",
        "results/forecasting/metrics.json",
        "results/metrics.json",
        "results/run.json",
        "results/report.html",
    }
    assert (folder / "results" / "metrics.json").read_bytes() == metrics
    page = (folder / "results" / "report.html").read_text()
    assert re.search(r"MAE: \d+ the same", page) and re.search(r"NSE: \d+ the same", page)  # as in the run before


def test_bad_data_stop_the_run_and_leave_earlier_results(first, folder):
    """A column is lost from the data: the check says so, before any pilot; what the earlier run made stays."""
    data = folder / "results" / "data" / "beijing.csv"
    whole, before = data.read_bytes(), products(folder)

    def start() -> Ended:
        (done,) = together(["--profile", "site/localhost", "--directory", folder])  # it runs no job
        return done

    runs = sorted((folder / ".deeprc" / "runs").iterdir())
    data.write_bytes(whole.replace(b"pm2.5", b"pm25", 1))
    done = start()
    assert done.code == 1
    assert "FAILED: check the air quality data" in done.output
    assert "pm2.5" in done.output
    assert "did you mean 'pm25'?" in done.output
    assert "log: results/logs/forecasting_check.log" in done.output
    assert "Traceback" not in done.output
    assert sorted((folder / ".deeprc" / "runs").iterdir()) == runs

    # Once the data are as they were, nothing has to be made again, however new their file is.
    data.write_bytes(whole)
    done = start()
    assert done.code == 0, done.output
    assert "Nothing to be done" in done.output
    assert sorted((folder / ".deeprc" / "runs").iterdir()) == runs
    touched = {"results/data/beijing.csv"}
    assert {name for name in before if products(folder).get(name) != before[name]} <= touched
