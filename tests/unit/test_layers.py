"""Imports run downward: the tree shows the architecture, and nothing may know what stands above it."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import deeprc
from deeprc.core.needs import points

LAYERS = (
    ("core",),
    ("cluster", "frames", "learning", "schedulers"),
    ("sites",),
    ("images",),
    ("launch",),
    ("pilot", "reporting"),
    ("bench", "doctor", "modules", "spack"),
    ("applications",),
    ("workflow",),
    ("commands",),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
APART = {"cluster", "frames", "learning"}  # they need core alone
APP = Path(deeprc.__file__).parent.parent
MODULES = {".".join(path.relative_to(APP).with_suffix("").parts): path for path in APP.glob("deeprc/*/**/*.py")}


def imports(path: Path) -> Iterator[str]:
    """Our modules that a file imports, also within functions and for type checkers."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from deeprc.core import files` imports a module, too.
            yield from (
                f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in MODULES
            )
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def allowed(above: str, below: str) -> bool:
    if above == below or below == "core":
        return True
    return above not in APART and LEVEL[below] < LEVEL[above]


@pytest.mark.parametrize("above", sorted({name.split(".")[1] for name in MODULES}))
def test_a_package_imports_what_is_below_it(above):
    found = {
        (name, other)
        for name, path in MODULES.items()
        if name.split(".")[1] == above
        for other in imports(path)
        if other.startswith("deeprc.") and not allowed(above, other.split(".")[1])
    }
    assert found == set()


# Files that name an application all the same, and why.
NAMES_ONE = {
    "deeprc/bench/pdsh/queries_1.py": "a query of PDS-H is called so",
    "deeprc/commands/init.py": "an example of a command line",
    "deeprc/commands/plan.py": "an example of a command line",
    "deeprc/launch/pages.py": "the example of the pages in docs/sites",
    "snakemake_executor_plugin_radical_pilot/commandline.py": "an example of an option",
}


def test_no_application_is_named_outside_of_the_applications():
    """They are found: whoever adds one touches nothing else."""
    words = [point.name for point in points()]
    assert {"forecasting", "hydrology"} <= {*words}
    texts = [*APP.rglob("*.py"), *APP.rglob("*.j2"), *(APP.parent / "containers").iterdir(), APP.parent / "Makefile"]
    named = {
        str(path.relative_to(APP)) if path.is_relative_to(APP) else path.name
        for path in texts
        if path.is_file() and not path.is_relative_to(APP / "deeprc" / "applications")
        if any(word in path.read_text().lower() for word in words)
    }  # fmt: skip
    assert named == {*NAMES_ONE}


def test_the_plugin_knows_no_application():
    plugin = APP / "snakemake_executor_plugin_radical_pilot"
    used = {name.split(".")[1] for path in plugin.rglob("*.py") for name in imports(path) if name.startswith("deeprc.")}
    assert used <= {"core", "sites", "images", "launch", "pilot", "schedulers"}


# RADICAL-Pilot, what it stands on, and its words for states, files and variables; not the name of our executor.
NAMES = re.compile(
    r"radical\.(pilot|utils|gtod)|RADICAL-Pilot|\bpsij\b|PMGR_|TMGR_|AGENT_[A-Z]|agent_0|bootstrap_0|RADICAL_|RP_TASK"
)
PROSE = {
    "deeprc/modules/text.py",  # a search in modulefiles finds Deep RC by this word
}


def words(path: Path) -> Iterator[str]:
    """What a file imports, and its texts, but for docstrings."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_radical_pilot_is_known_by_name_below_pilot_only():
    """So that another engine can stand in its place: see `deeprc/pilot/engine.py`."""
    files = (path for path in APP.rglob("*.py") if not path.is_relative_to(APP / "deeprc" / "pilot"))
    found = {
        (str(path.relative_to(APP)), word)
        for path in files
        if str(path.relative_to(APP)) not in PROSE
        for word in words(path)
        if NAMES.search(word)
    }
    assert found == set()


def test_snakemakes_insides_are_taken_from_one_module():
    plugin = APP / "snakemake_executor_plugin_radical_pilot"
    assert [
        (path.name, name)
        for path in plugin.rglob("*.py")
        for name in imports(path)
        if name.partition(".")[0] == "snakemake" and path.name != "internals.py"
    ] == []


@functools.cache
def names(path: Path) -> set[str]:
    """What a file defines or imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def test_what_is_imported_from_a_module_of_ours_is_there():
    """Also by what is imported late, where a user would be the first to see it: in functions, and in tests."""
    ours = {".".join(path.relative_to(APP).with_suffix("").parts): path for path in APP.rglob("*.py")}
    ours |= {name.removesuffix(".__init__"): path for name, path in ours.items()}
    lazy = {name for name, path in ours.items() if "__getattr__" in path.read_text()}
    gone = set()
    for path in [*ours.values(), *(APP.parent / "tests").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in ours.keys() - lazy:
                there = names(ours[node.module])
                gone |= {
                    f"{path.name}: {node.module}.{alias.name}"
                    for alias in node.names
                    if alias.name not in there and f"{node.module}.{alias.name}" not in ours
                }
    assert gone == set()
