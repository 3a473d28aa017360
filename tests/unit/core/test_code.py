"""What stands for an application's code: its files as installed, and the version of its distribution."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deeprc.core import code, fingerprint
from deeprc.core.fingerprint import differences

ABOUT = "Metadata-Version: 2.1\nName: wine\nVersion: 1.0\n"
STAGE = "from deeprc.core import fingerprint\nprint(fingerprint.prepared({}, {})['code'])\n"


@pytest.fixture
def wine(tmp_path, monkeypatch):
    """A package with an application's entry point, on the path."""
    (tmp_path / "wine_guest" / "templates").mkdir(parents=True), (tmp_path / "wine-1.0.dist-info").mkdir()
    files = {"__init__.py": "", "prepare.py": STAGE, "templates/wine.j2": "red"}
    for name, text in files.items():
        (tmp_path / "wine_guest" / name).write_text(text)
    (tmp_path / "wine-1.0.dist-info" / "METADATA").write_text(ABOUT)
    points = "[deeprc.applications]\nwine = wine_guest.application:WINE\n"
    (tmp_path / "wine-1.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "wine_guest"


def test_every_file_counts_by_what_is_in_it_and_nothing_that_python_makes(wine):
    first = code.of("wine_guest")
    assert (first["name"], first["version"]) == ("wine_guest", "1.0")
    (wine / "__pycache__").mkdir()
    for name in ("__pycache__/prepare.cpython-311.pyc", "prepare.pyc", ".prepare.py.swp"):
        (wine / name).write_text("made")
    (wine / "prepare.py").touch()
    assert code.of("wine_guest") == first
    for name in ("templates/wine.j2", "prepare.py", "new.csv"):
        before = code.of("wine_guest")
        (wine / name).write_text("white")
        after = code.of("wine_guest")
        assert after["sha256"] != before["sha256"]
        assert [*differences({"code": before}, {"code": after})] == ["the code of wine_guest has changed"]


def test_a_stage_says_the_code_that_it_is(wine):
    run = [sys.executable, "-P", "-m", "wine_guest.prepare"]
    done = subprocess.run(run, env={"PYTHONPATH": str(wine.parent)}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(code.of("wine_guest"))
    assert "code" not in fingerprint.prepared({}, {})  # of no stage: this process


def test_another_version_is_told_and_stages_do_not_compare_it(wine):
    old = code.of("wine_guest")
    about = wine.parent / "wine-1.0.dist-info" / "METADATA"
    about.write_text(ABOUT.replace("1.0", "2.0"))
    records = [{"data": {}, "prepare": {}, "code": one} for one in (old, code.of("wine_guest"))]
    assert [*differences(*records)] == ["the code of wine_guest has changed (1.0 → 2.0)"]
    assert [*differences({"data": {}, "prepare": {}}, records[1])] == [
        "the code of wine_guest was not yet written down"
    ]
    fingerprint.refuse("here", records[0], records[1], "there")


def test_ours_go_by_what_is_in_their_files_alone():
    found = code.of("deeprc.applications.forecasting")
    assert (found["name"], found["version"]) == ("forecasting", "")
    assert found["sha256"] != code.of("deeprc.applications.hydrology")["sha256"]
