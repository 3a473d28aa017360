"""`snakemake --profile site/<name> -n` tells on any machine what would be done on that site."""

from __future__ import annotations

import re

import pytest

from deeprc.sites import known_sites
from starts import Ended, together

LACKING = "the pipeline 'hydrology' cannot run in the image oneapi-mpich: it holds no tensorflow"


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> dict[str, Ended]:
    folder, names = tmp_path_factory.mktemp("profiles"), known_sites()
    starts = [["--profile", f"site/{name}", "-n", "--directory", folder / name] for name in names]
    starts.append(["--profile", "site/aurora", "--directory", folder / "aurora"])
    shapes = ["--radical-pilot-pilots", "partition=cpu,nodes=1", "partition=gpu,nodes=1"]
    starts.append(["--profile", "site/perlmutter", "-n", "--directory", folder / "two", *shapes])
    starts.append(["--profile", "site/localhost", "-n", "--directory", folder / "cylon", "--config", "engine=cylon"])
    return dict(zip([*names, "for real", "two", "cylon"], together(*starts), strict=True))


def test_trainings_and_forecasts_ask_for_accelerators_where_the_site_has_some(ended):
    lines = ended["two"].output.splitlines()
    (cpu,) = (line for line in lines if line.startswith("cpu "))
    (gpu,) = (line for line in lines if line.startswith("gpu "))
    rules = set(re.findall(r"(\w+_(?:train|predict|prepare|evaluate)) \d", f"{cpu} {gpu}"))
    assert set(re.findall(r"(\w+) \d+(?:,|$)", gpu.partition(": ")[2])) == {
        rule for rule in rules if rule.endswith(("_train", "_predict"))
    }
    assert len(rules) == 8 and gpu.split()[4] == "4"


@pytest.mark.parametrize("name", known_sites())
def test_a_profile_dry_runs(ended, name):
    assert ended[name].code == 0, ended[name].output
    assert "This was a dry-run" in ended[name].output


def test_a_pipeline_whose_framework_the_image_lacks_is_refused_by_name(ended):
    told = {name: ended[name].output.partition("note: a run would be refused: ")[2] for name in known_sites()}
    assert {name: words.split("\n")[0] for name, words in told.items() if words} == {
        "aurora": LACKING,
        "marenostrum5-acc": "$DEEPRC_QOS is not set, and the site's options for the batch system name it",
        "summit": "summit was retired on 2024-11-15",
    }
    assert ended["for real"].code == 1 and f"error: {LACKING}" in ended["for real"].output
    assert "rule hydrology" not in ended["for real"].output and "check the" not in ended["for real"].output


def test_an_engine_that_prepare_would_not_find_is_refused(ended):
    refused = "note: a run would be refused: the key 'engine': engine cylon: the jobs of prepare cannot use it\n"
    assert ended["cylon"].code == 0 and refused in ended["cylon"].output
