"""Applications from other packages: one that works, from its installation to the report, and what is wrong with others.

The one that works is tests/applications/digits; docs/add-an-application.md shows its files.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import starts
from deeprc.core.files import read_json
from samples.sifs import stored

ROOT = Path(__file__).resolve().parents[3]
DIGITS = ROOT / "tests" / "applications" / "digits"
FILES = [path for path in sorted(DIGITS.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


@pytest.fixture(scope="module")
def run(snakemake, tmp_path_factory):
    """The folder of a run of the application, installed as pip installs it, and what Snakemake said."""
    folder = tmp_path_factory.mktemp("guest")
    shutil.copytree(DIGITS, folder / "source")  # where setuptools leaves its folders
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder / "installed", folder / "source"], check=True, timeout=120)
    for name in ("typer", "deeprc_digits"):  # in the study's own folder, which no stage imports from
        (folder / f"{name}.py").write_text("raise SystemExit('planted')")
    return folder, snakemake(folder, "--config", "pipelines=digits", PYTHONPATH=str(folder / "installed"))


def test_a_guest_is_run_to_its_report_on_frames_of_two_ranks(run):
    folder, done = run
    assert done.returncode == 0, done.stdout
    results = folder / "results"
    assert f"Report: {results / 'report.html'}" in done.stdout
    metrics = read_json(results / "metrics.json")["digits"]
    assert metrics["images"] == 539 and sum(map(sum, metrics["confusion"])) == 539
    assert metrics["beats_reference"] and metrics["accuracy"] > 0.9 > metrics["reference"] > 0.8
    assert len([*(results / "digits" / "prepared" / "images").glob("part-*.arrow")]) == 2
    about = read_json(results / "run.json")
    assert about["config"]["digits"]["hidden"] == 48 and [*about["made_from"]["digits"]["data"]] == ["digits.csv.gz"]
    assert about["versions"]["deeprc-digits"] == "1.0" and "scikit-learn" in about["versions"]
    assert [(task["rule"], task["ranks"]) for task in about["tasks"]] == [
        ("digits_prepare", 2), ("digits_train", 1), ("digits_infer", 1),
    ]  # fmt: skip
    page = (results / "report.html").read_text()
    for part in ('<section id="digits">', 'id="digits-confusion-figure"', "Digits told right", 'href="#digits"'):
        assert part in page


def test_other_code_redoes_all_that_it_made(run, snakemake):
    folder, _ = run

    def foretold() -> str:
        return snakemake(folder, "-n", "--config", "pipelines=digits", PYTHONPATH=str(folder / "installed")).stdout

    assert "Nothing to be done" in (said := foretold()), said
    about = folder / "installed" / "deeprc_digits-1.0.dist-info" / "METADATA"
    about.write_text(about.read_text().replace("\nVersion: 1.0", "\nVersion: 2.0"))
    with (folder / "installed" / "deeprc_digits" / "train.py").open("a") as file:
        file.write("# other code\n")
    for name in ("report.html", "run.json"):  # else a report would name 2.0 beside what 1.0 made
        (folder / "results" / name).unlink()
    said = foretold()
    why = r" +1  the code of deeprc_digits has changed \(1\.0 → 2\.0\)$"
    found = [stage for stage in ("prepare", "train", "infer") if re.search(f"^digits_{stage}{why}", said, re.M)]
    assert found == ["prepare", "train", "infer"] and re.search("^report +1 ", said, re.M), said


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
