"""A name means one thing, and a file is short enough to be read at once."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

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
