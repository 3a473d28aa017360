"""What every shipped site's folder must be, beside a valid site file."""

import dataclasses

import pytest
import yaml

from deeprc.sites import known_sites, load_site, sites_folder
from deeprc.sites.draft import FILL_IN
from snakemake_executor_plugin_radical_pilot import ExecutorSettings

PREFIX = "radical-pilot-"


@pytest.mark.parametrize("name", known_sites())
def test_nothing_is_left_to_fill_in(name):
    assert [path.name for path in (sites_folder() / name).iterdir() if FILL_IN in path.read_text()] == []


@pytest.mark.parametrize("name", known_sites())
def test_a_profile_sets_what_there_is(name):
    folder = sites_folder() / name
    profile = yaml.safe_load((folder / "config.yaml").read_text())
    known = {field.name for field in dataclasses.fields(ExecutorSettings)}
    given = {key.removeprefix(PREFIX).replace("-", "_") for key in profile if key.startswith(PREFIX)}
    assert given <= known
    assert profile["executor"] == "radical-pilot"
    assert (folder / profile["snakefile"]).is_file()


@pytest.mark.parametrize("name", [name for name in known_sites() if load_site(name).scheduler.name != "fork"])
def test_a_site_is_known_by_something(name):
    """A site without a sign would be every machine, and a run on the wrong one would not stop."""
    identity = load_site(name).identity
    assert identity.environment or identity.hostnames


def test_hardware_is_somebodys():
    used = {part.hardware for name in known_sites() for part in load_site(name).partitions}
    assert {path.stem for path in (sites_folder() / "hardware").glob("*.yaml")} <= used
