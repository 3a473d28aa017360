"""run.json: machine, versions, commit, site, data."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import asdict, replace

import pytest

from deeprc.applications.registry import applications
from deeprc.core.events import RunImage
from deeprc.reporting.events import read_runs
from deeprc.reporting.provenance import commit, data_files, machine, overhead, provenance, site_of, used, versions
from samples.results import write_events


@pytest.fixture
def run(tmp_path):
    return read_runs(write_events(tmp_path))[0]


def test_the_site_comes_with_the_hash_of_its_file(run, tmp_path, monkeypatch):
    folder = tmp_path / "sites" / "localhost"
    folder.mkdir(parents=True)
    (folder / "site.yaml").write_text("name: localhost\n")
    monkeypatch.setenv("DEEPRC_SITES", str(folder.parent))
    expected = {
        "name": "localhost",
        "file": str(folder / "site.yaml"),
        "sha256": hashlib.sha256(b"name: localhost\n").hexdigest(),
    }
    assert site_of(run, None) == expected
    assert site_of(None, folder / "site.yaml") == expected
    run.site = "elsewhere"
    assert site_of(run, None) == {"name": "elsewhere", "file": None, "sha256": None}


def test_this_machine_and_its_versions():
    found = machine()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_mb"] > 100
    assert versions()["python"] == platform.python_version()
    assert {"deeprc", "polars", "plotly"} <= set(versions())


def test_the_commit_of_a_checkout_and_none_beside_one(tmp_path):
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    assert commit(tmp_path) is None
    git("init", "-q")
    inside = tmp_path / "package"
    inside.mkdir()
    (inside / "a.py").write_text("a")
    assert commit(inside) is None  # below a checkout, but not a part of it
    git("add", ".")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD").strip()
    assert commit(inside) == {"commit": head, "changed": False}
    (inside / "a.py").write_text("b")
    assert commit(inside) == {"commit": head, "changed": True}


def test_the_overhead_adds_up(run):
    found = overhead(run)
    assert found["total"] == pytest.approx(138.0)
    assert sum(found["phases"].values()) == pytest.approx(found["total"], abs=0.01)
    assert found["until_report"] is False
    assert found["waits"]["run"] == pytest.approx(sum(task.seconds for task in run.tasks), abs=0.01)
    assert 0 < found["core_utilisation"] <= 1


def test_every_task_is_told_with_its_launch_line_and_times(run):
    found = provenance([run], run.tasks, data=[], config={}, site=None)["tasks"]
    assert len(found) == len(run.tasks)
    assert found[0]["argv"] == ["mpiexec", "-n", "1", "bash", "command.sh"]
    assert found[0]["command"] == "python -m deeprc.applications.forecasting.check"
    assert found[0]["stop"] - found[0]["start"] == pytest.approx(found[0]["seconds"])


def test_images_are_told_with_their_digests_and_stages(run):
    pulled = RunImage(variant="cpu", digest="sha256:" + "ab" * 32, source="oras://registry/cpu:1")
    first, second, third, *_ = run.tasks
    file = "/images/cpu_x86_64_0123456789abcdef.sif"
    tasks = [replace(first, image=pulled), replace(second, image=pulled), replace(third, argv=["apptainer", file])]
    found = provenance([run], tasks, data=[], config={}, site=None)
    assert found["images"] == [
        {**asdict(pulled), "stages": [first.label, second.label]},
        {"variant": "cpu", "digest": "sha256:0123456789abcdef…", "source": None, "stages": [third.label]},
    ]
    assert [task["image"] and task["image"]["variant"] for task in found["tasks"]] == [
        "cpu", "cpu", "cpu",
    ]  # fmt: skip


def test_the_configuration_has_the_values_that_were_used():
    """What a model was trained with and what the data set gave, instead of what was left out; the rest as it is."""
    given = {
        "results": "r",
        "forecasting": {"target": None, "path": None, "horizon": 24, "models": {"GRU": {"steps": None, "options": {}}}},
        "hydrology": {"basins": None, "epochs": 40},
    }
    gru = {"steps": 300, "learning_rate": 0.002, "batch_size": 64, "seed": 1, "options": {"encoder_n_layers": 1}}
    made_from = {
        "data": {},
        "prepare": {"target": None, "horizon": 24, "max_gap": 6},
        "train": {"GRU": {"model": "GRU", **gru}},
    }
    metrics = {
        "forecasting": {"target": "pm2.5", "made_from": made_from},
        "hydrology": {"basins": {"fulda": {}}, "made_from": {"prepare": {"window": 60}, "train": {"epochs": 7}}},
    }
    own = {name: made.used for name, made in applications().items()}
    assert used(given, metrics, own) == {
        "results": "r",
        "forecasting": {"target": "pm2.5", "path": None, "horizon": 24, "max_gap": 6, "models": {"GRU": gru}},
        "hydrology": {"basins": ["fulda"], "epochs": 7, "window": 60},
    }
    assert given["forecasting"]["target"] is None
    assert used({}, {"forecasting": {"made_from": None}}, own) == {}


def test_data_files_of_both_kinds_of_check():
    one = {"file": "results/data/beijing.csv", "sha256": "aa", "missing": {"y": 3}}
    assert data_files("forecasting", one) == [
        {"pipeline": "forecasting", "file": "results/data/beijing.csv", "sha256": "aa"}
    ]
    two = {
        "basins": {"fulda": {"days": 1, "sha256": {"f.csv": "bb"}}, "leaf": {"sha256": {"l.csv": "cc", "m.csv": "dd"}}}
    }
    assert [(row["file"], row["sha256"]) for row in data_files("hydrology", two)] == [
        ("f.csv", "bb"),
        ("l.csv", "cc"),
        ("m.csv", "dd"),
    ]
    assert data_files("hydrology", {}) == []


def test_secrets_are_told_to_nobody(run):
    """Those of an older release's events, too."""
    run.command = ["snakemake", "--config", "api_key=planted"]
    config = {"data": {"url": "https://me:planted@host", "Password": "planted"}, "horizon": 12}
    found = provenance([run], [], data=[], config=config, site=None)
    assert found["command"] == ["snakemake", "--config", "api_key=***"]
    assert found["config"] == {"data": {"url": "https://me:***@host", "Password": "***"}, "horizon": 12}
