"""Every `python -m` that a reader may copy is there: in the documents, the golden files and the commands' own help."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests" / "golden").rglob("*.txt")]
FILES += [*(ROOT / "app").rglob("*.py"), *(ROOT / "workflows").rglob("*.smk"), ROOT / "Makefile"]


def named(path: Path) -> set[str]:
    return set(re.findall(r"python3? (?:-P )?-m ([A-Za-z_][\w.]*\w)", path.read_text()))


@pytest.mark.parametrize("module", sorted(set().union(*map(named, FILES))))
def test_a_module_that_is_named_is_there(module, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "applications" / "digits")
    where = [str(path.relative_to(ROOT)) for path in FILES if module in named(path)]
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    assert found, f"there is no {module}, which stands in {', '.join(where)}"
