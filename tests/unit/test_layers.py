"""Imports run downward: the tree shows the architecture, and nothing may know what stands above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import deeprc

LAYERS = (
    ("core",),
    ("frames", "learning", "schedulers"),
    ("sites",),
    ("images",),
    ("launch",),
    ("pilot", "reporting"),
    ("applications", "bench", "doctor", "modules", "spack"),
    ("workflow",),
    ("commands",),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
APART = {"frames", "learning"}  # they need core alone
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


def test_the_plugin_knows_no_application():
    plugin = APP / "snakemake_executor_plugin_radical_pilot"
    used = {name.split(".")[1] for path in plugin.rglob("*.py") for name in imports(path) if name.startswith("deeprc.")}
    assert used <= {"core", "sites", "images", "launch", "pilot", "schedulers"}
