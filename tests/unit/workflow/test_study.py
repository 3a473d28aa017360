"""`deeprc init`: what it refuses, by name, and what the folder then holds (that it runs: integration/wheel)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from deeprc.cli import command_line
from deeprc.core.errors import ConfigError
from deeprc.workflow.configuration import read_config
from deeprc.workflow.study import Study

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("applications", "sites", "problem"),
    [
        (["hydrologie"], ["localhost"], "unknown application 'hydrologie'(.|\n)*did you mean 'hydrology'"),
        (["hydrology"], ["fronterra"], "unknown site 'fronterra'(.|\n)*did you mean 'frontera'"),
        (["hydrology"], ["summit"], r"summit was retired on \d{4}-\d\d-\d\d"),
    ],
)
def test_an_unknown_name_is_refused_and_nothing_written(tmp_path, applications, sites, problem):
    with pytest.raises(ConfigError, match=problem):
        Study(tmp_path / "study", applications, sites).make()
    assert not (tmp_path / "study").exists()


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path):
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ConfigError, match=r"not empty(.|\n)*found: notes"):
        Study(tmp_path, ["hydrology"], ["localhost"]).make()
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    with pytest.raises(ConfigError, match="is a file"):
        Study(tmp_path / "notes", ["hydrology"], ["localhost"]).make()


def test_what_it_writes_is_what_the_workflow_reads(tmp_path):
    study = Study(tmp_path, ["hydrology"], ["localhost", "frontera"])  # an empty folder that is there
    files = study.make()
    assert {*files} == {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    config = tmp_path / "config" / "config.yaml"
    values = yaml.safe_load(config.read_text())
    jsonschema.validate(values, json.loads((tmp_path / "config" / "config.schema.json").read_text()))
    del values["mine"]
    assert read_config(values, files=[config], given={}).pipelines == ["hydrology"]
    shipped = yaml.safe_load((ROOT / "site-configs/frontera/config.yaml").read_text())
    del shipped["snakefile"]  # a study's is where Snakemake looks by itself
    assert yaml.safe_load((tmp_path / "site/frontera/config.yaml").read_text()) == shipped


def test_what_is_not_installed_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    folder = tmp_path / "study"
    done = CliRunner().invoke(command_line(["init"]), ["init", str(folder), "-a", "hydrology", "--json"])
    told = json.loads(done.stdout)
    assert told["folder"] == str(folder) and told["applications"] == ["hydrology"] and told["sites"] == ["localhost"]
    assert {each["install"] for each in told["missing"]} >= {
        "snakemake-executor-plugin-radical-pilot",
        "deeprc[hydrology]",
    }
