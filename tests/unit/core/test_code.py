"""What stands for an application's code: its files as installed, and the version of its distribution."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from ast import literal_eval
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace

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
    yield tmp_path / "wine_guest"
    sys.modules.pop("wine_guest", None)  # another test's lies elsewhere


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
    other = code.of("deeprc.applications.hydrology")
    assert found["sha256"] != other["sha256"] and found["below"] == other["below"]
    both = {name: version(name) for name in ("numpy", "polars", "pyarrow")}
    assert found["libraries"] == both | {name: version(name) for name in ("torch", "neuralforecast")}
    assert both.items() < other["libraries"].items() and "torch" not in other["libraries"]


@pytest.mark.parametrize("package", ["deeprc.applications.base", "deeprc.frames", "deeprc.learning"])
def test_what_stages_compute_with_is_of_their_code(wine, monkeypatch, package):
    """A copy of ours in which one file is another one, for an application of anybody's."""
    copy = wine.parent / "copy"
    shutil.copytree(find_spec(package).submodule_search_locations[0], copy, ignore=shutil.ignore_patterns("*.pyc"))
    found = {package: SimpleNamespace(submodule_search_locations=[str(copy)])}
    monkeypatch.setattr(code, "find_spec", lambda name: found.get(name) or find_spec(name))
    first = code.of("wine_guest")
    (copy / "__init__.py").write_text("# other code")
    assert [*differences({"code": first}, {"code": code.of("wine_guest")})] == [f"the code of {package} has changed"]


def test_other_versions_of_libraries_are_told_by_name():
    new = code.of("deeprc.applications.forecasting")
    other = {name: known for name, known in new["libraries"].items() if name != "polars"} | {
        "torch": "2.0",
        "gone": "1",
    }
    told = [*differences({"code": new | {"libraries": other}}, {"code": new})]
    now = new["libraries"]
    assert told == ["gone 1 → (none)", f"polars (none) → {now['polars']}", f"torch 2.0 → {now['torch']}"]


NAMES = ("sci_twopk/__init__.py", "twopk_lib/__init__.py", "twopk_one.py")
TWOPK = """
[project]
name = "twopk"
version = "1.0"
entry-points."deeprc.applications".twopk = "sci_twopk:IT"
[build-system]
requires = []
build-backend = "setuptools.build_meta"
[tool.setuptools]
package-dir = {"" = "src"}
packages = ["sci_twopk", "twopk_lib"]
py-modules = ["twopk_one"]
"""
SHOWN = "import site, sys; site.addsitedir(sys.argv[1]); from deeprc.core import code; print(code.of(sys.argv[2]))"


@pytest.mark.parametrize("by", ["setuptools", "path", "list"])
def test_all_that_the_distribution_installs_is_the_code_of_its_application(tmp_path, by):
    """Two packages and a module, installed editable by setuptools, and as Hatchling does it: editable, or copied."""
    where, into = tmp_path / ("into" if by == "list" else "src"), tmp_path / "into"
    for name in NAMES:
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text("IT = 1\n")
    if by == "setuptools":
        (tmp_path / "pyproject.toml").write_text(TWOPK)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", into]
        subprocess.run([*pip, "--editable", tmp_path], check=True, timeout=120)
    else:
        (about := into / "twopk-1.0.dist-info").mkdir(parents=True)
        (about / "METADATA").write_text(ABOUT.replace("wine", "twopk"))
        (about / "entry_points.txt").write_text("[deeprc.applications]\ntwopk = sci_twopk:IT\n")
        (into / "_twopk.pth").write_text(str(where))
        listed = ["_twopk.pth"] if by == "path" else NAMES
        (about / "RECORD").write_text("".join(f"{name},,\n" for name in [*listed, "twopk-1.0.dist-info/METADATA"]))

    def shown(package: str) -> dict:
        command = [sys.executable, "-c", SHOWN, str(into), package]
        return literal_eval(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)

    assert shown("twopk_lib")["version"] == "1.0"  # where its stages may be
    before = shown("sci_twopk")
    for name in NAMES[1:]:
        (where / name).write_text("other = 1\n")
        after = shown("sci_twopk")
        assert [*differences({"code": before}, {"code": after})] == ["the code of sci_twopk has changed"]
        before = after


def test_a_library_that_is_edited_where_it_lies_counts_by_its_files(wine):
    for name, told in (("edited", '{"dir_info": {"editable": true}}'), ("kept", "{}")):
        about = wine.parent / f"{name}-3.0.dist-info"
        about.mkdir(), (wine.parent / f"{name}.py").touch()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.0\n")
        (about / "direct_url.json").write_text(told)
        (about / "top_level.txt").write_text(f"{name}\n")
    with (wine.parent / "wine-1.0.dist-info" / "METADATA").open("a") as metadata:
        metadata.write("Requires-Dist: edited\nRequires-Dist: kept\n")
    before = code.of("wine_guest")
    for name in ("edited", "kept"):
        (wine.parent / f"{name}.py").write_text("other = 1")
    after = code.of("wine_guest")
    (told,) = differences({"code": before}, {"code": after})
    assert re.fullmatch(r"edited 3\.0, edited: (\w{12}) → 3\.0, edited: (?!\1)\w{12}", told), told
    assert after["libraries"]["kept"] == "3.0"
