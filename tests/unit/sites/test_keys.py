"""Every key of a site file is explained: in the documents, by the command and in editors."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from deeprc.commands.sites import site_app
from deeprc.sites import known_sites, site_schema, sites_folder
from deeprc.sites.draft import HEAD
from deeprc.sites.keys import keys, table_of, texts
from deeprc.sites.load import with_hardware

PATHS = [path for path, _, _ in keys()]
DOCUMENT = Path(__file__).parents[3] / "docs" / "add-a-site.md"


def test_every_key_has_a_text_and_no_text_is_of_no_key():
    assert sorted(PATHS) == sorted(texts()), "write it in app/deeprc/sites/keys.yaml"
    assert {"partitions.accelerator.count", "settings.when.comm", "*.unverified"} <= set(PATHS)


def test_every_text_says_something_and_has_an_example():
    for path, text in texts().items():
        assert text["means"].endswith("."), path
        assert ("site" in text) != ("example" in text), path


def test_the_document_has_the_table():
    assert DOCUMENT.read_text().endswith("\n\n" + table_of(PATHS)), (
        "the end of docs/add-a-site.md is what `deeprc site keys` prints"
    )


def test_the_table_tells_what_is_required():
    told = dict(line.split(" | ")[:2] for line in table_of(PATHS).splitlines()[2:])
    needed = {key.removeprefix("| ").strip("`"): word for key, word in told.items() if word}
    assert needed.pop("partitions.cores") == needed.pop("partitions.architecture") == "yes, or in its `hardware`"
    assert {*needed.values()} == {"yes"} and {key for key in needed if "." not in key} == {
        "name", "description", "contact", "url", "scheduler", "launcher", "interconnect", "mpi", "runtime", "partitions"
    }  # fmt: skip
    assert {"partitions.name", "partitions.accelerator.vendor", "mpi.family"} <= needed.keys()


def test_the_published_schema_is_that_of_the_model():
    published = json.loads((sites_folder() / "site.schema.json").read_text())
    assert published == site_schema(), "deeprc site schema --out site-configs/site.schema.json"
    Draft202012Validator.check_schema(published)


def test_editors_show_what_each_key_means():
    schema = site_schema()
    for title, part in [("Site", schema), *schema["$defs"].items()]:
        for name, value in part.get("properties", {}).items():
            assert value.get("description"), f"{title}.{name}"
    assert schema["properties"]["name"]["description"] == texts()["name"]["means"]
    assert schema["$defs"]["Mpi"]["properties"]["mark"]["description"] == texts()["*.mark"]["means"]


@pytest.mark.parametrize("name", known_sites())
def test_shipped_files_begin_with_the_schema_and_follow_it(name):
    path = sites_folder() / name / "site.yaml"
    text = path.read_text()
    first = text.partition("\n")[0]
    assert first == "# yaml-language-server: $schema=../site.schema.json"
    assert (path.parent / first.partition("=")[2]).samefile(sites_folder() / "site.schema.json")
    content = json.loads(json.dumps(with_hardware(yaml.safe_load(text), path), default=str))
    assert [error.message for error in Draft202012Validator(site_schema()).iter_errors(content)] == []


def test_the_command_explains_a_part():
    done = CliRunner().invoke(site_app, ["keys", "launcher.pmi"])
    assert done.stdout.splitlines()[2].startswith("| `launcher.pmi` |  | The protocols by which it can tell ranks who")
    assert done.stdout.splitlines()[2].endswith("| `pmi: [cray, pmi2, pmix]` (perlmutter) |")
    assert len(CliRunner().invoke(site_app, ["keys", "status"]).stdout.splitlines()) == 2 + 4
    error = CliRunner().invoke(site_app, ["keys", "lancher"]).exception
    assert error.fix == "did you mean 'launcher'?"


def test_a_draft_begins_with_the_schema():
    assert HEAD.startswith("# yaml-language-server: $schema=../site.schema.json\n")
