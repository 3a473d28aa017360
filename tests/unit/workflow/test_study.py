"""`deeprc init`: what it refuses, by name, and what the folder then holds (that it runs: integration/wheel)."""

from __future__ import annotations

import json
import re
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


def init(*words: str) -> tuple[object, str]:
    done = CliRunner().invoke(command_line(["init"]), ["init", *words, "-a", "hydrology"])
    return done, str(done.exception or "") + done.output


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("afile/st", r"afile: is a file, where a folder above the study's should be\n  fix: name a folder"),
        (
            "dangling",
            r"dangling: a dangling link(.|\n)*found: a link to gone, which is not there\n  fix: remove it, or",
        ),
        ("dangling/st", r"dangling: a dangling link(.|\n)*fix: remove it, or"),
        ("wi ne'ü", r"signs in its path(.|\n)*found: a space '\n  fix: name one of letters, digits and.*any script"),
        ("", "the argument FOLDER is empty"),
    ],
)
def test_where_no_study_can_be_made_or_run_it_is_refused(tmp_path, monkeypatch, name, told):
    monkeypatch.chdir(tmp_path)
    Path("afile").touch(), Path("dangling").symlink_to("gone")
    done, said = init(name)
    assert isinstance(done.exception, ConfigError) and re.search(told, said), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["afile", "dangling"]


def test_a_study_in_another_and_a_dash_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "another study" not in init("one")[1]
    assert f"it lies in another study, {tmp_path}/one," in init("one/two")[1]
    done = CliRunner().invoke(command_line(["init"]), ["init", "-a", "hydrology", "--", "-dash"])
    assert "  cd -- -dash && snakemake --profile site/localhost" in done.output
