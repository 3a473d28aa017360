"""Applications from other packages: what is wrong with them, and the one that works, tests/applications/digits.

docs/add-an-application.md shows its files; from its installation to the report it is run by test_printed.py.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

import starts
from samples.sifs import stored

ROOT = Path(__file__).resolve().parents[3]
DIGITS = ROOT / "tests" / "applications" / "digits"
FILES = [path for path in sorted(DIGITS.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


def test_it_is_small_and_nobody_here_knows_it():
    assert sum(len(path.read_text().splitlines()) for path in FILES) <= 300
    ours = [path for top in ("app", "workflows", "containers") for path in (ROOT / top).rglob("*") if path.is_file()]
    texts = [path for path in ours if path.suffix != ".pyc" and b"digits_" in path.read_bytes()]
    assert texts == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_page_shows_the_files_as_they_are(path):
    page = (ROOT / "docs" / "add-an-application.md").read_text()
    assert f"\n{path.read_text()}```\n" in page or not path.read_text()


def test_the_page_shows_no_code_but_that_of_the_files():
    page = (ROOT / "docs" / "add-an-application.md").read_text()
    blocks = re.findall(r"^```(?:python|toml|jinja)\n(.*?)^```$", page, re.M | re.S)
    assert {*blocks} == {path.read_text() for path in FILES} - {""}


FAULTY = """
from pathlib import Path
from deeprc.applications.base.application import Application
from deeprc.core.settings import Settings

class Options(Settings, extra="forbid"):
    depth: int = 3

class Faulty(Application):
    configuration = preparation = training = Options
    stages = ("prepare",)
    def __init__(self, name, **changed):
        self.name, self.rules = name, Path(__file__).with_name(f"{name}.smk")
        vars(self).update(changed)
    def report(self):
        if self.name == "unseen":
            import faulty.not_there
        return self if self.name == "tacit" else super().report()
    def products(self, folder, record):
        return {folder / "metrics.json": record} if self.name != "empty" else {}

"""
MAKES = """
rule {0}_all:
    input: rules.{0}_prepare.output
    output: "results/{0}/metrics.json"
    shell: "python -m faulty.prepare"
"""
# Name of an application -> its rules, and what is told of it; § is the folder of its package.
WRONG = {
    "absent": (
        MAKES.replace("-m faulty.prepare", "-P -m faulty.evaluate"),
        "§/absent.smk:2: rule absent_all",
        "no module faulty.evaluate",
    ),
    "clash": (MAKES.replace("rule {0}_all", "rule clash_prepare"), "§/clash.smk", "clash_prepare is already used"),
    "empty": ("", "the application 'empty' leaves no metrics", "expected: metrics.json among them"),
    "ends": ("import sys\nsys.exit(0)\n", "§/ends.smk", "these rules cannot be read", "found: SystemExit: 0"),
    "moves": (
        "import os\nos.chdir('/')\n" + MAKES,
        "§/moves.smk",
        "'moves' changes the working directory when its rules",
    ),
    "other": (MAKES.replace("rule {0}_all", "rule report"), "§/other.smk:2", "found: report"),
    "silent": (MAKES.replace("metrics", "figures"), "§/silent.smk", "'silent' makes metrics.json, which it says"),
    "staged": (MAKES, "the stages of 'staged'", "no module faulty.train"),
    "syntax": ("rule syntax_all:\n    output 'x'\n", "§/syntax.smk:2", "these rules cannot be read"),
    "tacit": (MAKES, "the section of 'tacit' in the report: it has no function read and no section"),
    "unseen": (MAKES, "'unseen' in the report: it cannot be imported", "No module named 'faulty.not_there'"),
    "unknown": (MAKES.replace("shell", "threads: NOT_THERE\n    shell"), "§/unknown.smk", "'NOT_THERE' is not defined"),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict[str, tuple[int, str]]:
    """By application, how Snakemake ended and what it said: all in one process, since most of it is imports."""
    folder = tmp_path_factory.mktemp("faulty")
    package, about = folder / "faulty", folder / "faulty-1.0.dist-info"
    package.mkdir(), about.mkdir()
    made = [f'{name.upper()} = Faulty("{name}")' for name in WRONG]
    made += ['APART = Faulty("apart")']
    made[[*WRONG].index("staged")] = 'STAGED = Faulty("staged", stages=("prepare", "train"))'
    (package / "__init__.py").touch(), (package / "prepare.py").touch()
    (package / "application.py").write_text(FAULTY + "\n".join(made))
    for name, (rules, *_) in [*WRONG.items(), ("apart", (MAKES,))]:
        (package / f"{name}.smk").write_text(rules.replace("{0}", name))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    points = [f"{name} = faulty.application:{name.upper()}" for name in (*WRONG, "apart", "gone")]
    (about / "entry_points.txt").write_text("\n".join(["[deeprc.applications]", *points]))
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": str(folder)}
    dry = ["-n", "--directory", str(folder), "--config"]
    names = (*WRONG, "gone", "hydrology")
    asked = [[environment, [["--profile", "site/localhost", *dry, f"pipelines={name}"] for name in names]]]
    for name, packages in (("lacked", ["torch"]), ("held", ["torch", "Faulty"])):
        stored(folder / name, "cpu", platform.machine(), packages)
        imaged = ["--profile", "site/localhost-apptainer", *dry, "pipelines=apart"]
        asked.append([environment | {"DEEPRC_IMAGES": str(folder / name)}, [imaged]])
    done = subprocess.run(
        [sys.executable, starts.__file__], input="".join(f"{json.dumps(line)}\n" for line in asked), cwd=ROOT,
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    ends = [end for line in done.stdout.splitlines() for end in json.loads(line)]
    names = (*names, "lacked", "held")
    return {name: (code, said.replace(str(package), "§")) for name, (code, said) in zip(names, ends, strict=True)}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_guest_is_one_clear_error_before_anything_runs(told, name):
    code, said = told[name]
    assert "error: " in said, (code, said)
    error = said[said.index("error: ") :]
    assert code == 1 and "Traceback" not in said
    assert [words for words in WRONG[name][1:] if words not in error] == [], said
    assert len(re.findall("^error: ", said, re.M)) == 1 and len(error.splitlines()) <= 5


def test_a_guest_that_cannot_be_imported_stops_no_run_but_its_own_and_is_named_in_the_others(told):
    wrong = "faulty.application:GONE of the package faulty: this application cannot be imported"
    code, said = told["gone"]
    assert code == 1 and f"error: {wrong}" in said, said
    code, said = told["hydrology"]
    assert code == 0 and f"note: the application 'gone' is left out: {wrong}" in said and "hydrology_train" in said


def test_a_guest_whose_package_is_not_in_the_image_is_refused(told):
    refused = "note: a run would be refused: the pipeline 'apart' cannot run in the image cpu, which lacks its packages"
    code, said = told["lacked"]
    assert code == 0 and f"{refused}\n  found: no faulty\n  expected: faulty in the image's SBOM\n" in said, said
    code, said = told["held"]
    assert code == 0 and "apart_prepare" in said and "refused" not in said, said
