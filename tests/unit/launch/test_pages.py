"""The pages of docs/sites: what is committed is what the site files say."""

from pathlib import Path

import pytest

from deeprc.launch.pages import example, write_pages
from deeprc.sites import load_site
from deeprc.sites.page import overview, render
from samples.sites import cluster

DOCS = Path(__file__).parents[3] / "docs" / "sites"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    write_pages(out)
    return out


def test_the_committed_pages_are_up_to_date(written):
    stale = [
        path.name
        for path in written.iterdir()
        if not (DOCS / path.name).is_file() or (DOCS / path.name).read_text() != path.read_text()
    ]
    assert stale == [], "run `deeprc site pages --out docs/sites`"
    assert {path.name for path in DOCS.glob("*.md")} == {path.name for path in written.iterdir()}


def test_a_page_tells_marks_sources_and_doubts():
    unsure = {"mark": "U", "source": "a rumour", "note": "ask them"}
    split = {"mark": "!", "note": "one says 1, one 2", "description": "rails", "environment": {"RAILS": "1"}}
    page = render(cluster(binds={"paths": ["/a|b"], **unsure}, settings=[split]))
    assert "| binds | `/a\\|b`. ask them | U | a rumour |" in page
    assert "| rails | always | `RAILS=1` | ! |  |" in page
    assert "## Where sources disagree\n\n- settings.rails: one says 1, one 2\n" in page
    assert "## Not verified\n\n- binds: ask them\n" in page


def test_reserved_cores_are_told_and_not_counted():
    page = render(cluster(partition={"reserved_cores": [0, 8]}))
    assert "| gpu | 100 | 62 of 64 (not 0, 8): x86_64 |" in page


def test_a_retired_site_says_so_first():
    site = cluster(status={"state": "retired", "retired": "2024-11-15", "successor": "frontier"})
    assert "**Retired on 2024-11-15**; its successor is frontier." in render(site).splitlines()[4]
    assert "| retired 2024-11-15 |" in overview([site])


def test_examples_are_plans_that_anyone_can_repeat():
    assert example(load_site("localhost")) is None  # what it has depends on the machine
    text = example(load_site("frontier"))
    assert text.startswith("$ deeprc plan --site frontier --partition batch --nodes 2 --ranks 16 --gpus-per-rank 1 ")
    assert "\nlaunch\n  srun --nodes=2 --ntasks=16 " in text
    assert "\nverdict    refuse: summit was retired" in example(load_site("summit"))
