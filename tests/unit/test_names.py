"""A name means one thing, and a file is short enough to be read at once."""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Classes that are told apart by what they are found by, not by their names.
TWICE = {
    "DataConfig": "each application's own, of the same use in each: `Application` finds it",
    "TrainConfig": "each application's own, as DataConfig",
    "Fork": "the word of site files, in the registries of launchers and of schedulers",
}
LINES = 300


def test_no_two_classes_of_the_product_have_one_name():
    places = defaultdict(list)
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert {name: where for name, where in twice.items() if name not in TWICE} == {}
    assert twice.keys() == TWICE.keys()


def test_no_file_is_longer_than_can_be_read_at_once():
    """Divide it by subject: what has a name of its own gets a file of its own."""
    folders = ("app", "containers", "locks", "tests", "workflows")
    files = [path for folder in folders for end in ("*.py", "*.smk") for path in (ROOT / folder).rglob(end)]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {path: count for path, count in lines.items() if count > LINES} == {}


DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("app", "containers", "docs", "locks", "site-configs", "spack-env", "tests", "workflows")
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]|[\w/]+\.(?:py|smk)")
PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\b")  # site-configs/SITE/site.yaml
OURS = [f"/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*")]


def named(page: Path) -> set[str]:
    """The paths of ours that a page names or links to; those in blocks of code aside, which may be anybody's."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    words = [word for code in re.findall(r"`([^`\n]+)`", text) for word in code.split()]
    links = [os.path.relpath(page.parent / link, ROOT) for link in re.findall(r"\]\(([^)#:\s]+)\)", text)]
    return {word for word in words if PATH.fullmatch(word) and not PLACEHOLDER.search(word)} | set(links)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.stem)
def test_a_path_that_a_page_names_is_there(page):
    """From the top, or by its end: `frames/io.py`."""
    missing = {
        path for path in named(page) if not (ROOT / path).exists() and not any(f.endswith(f"/{path}") for f in OURS)
    }
    assert missing == set()
