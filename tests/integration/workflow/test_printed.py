"""Every command that README.md and docs/tutorial.md print, run as printed, in their order, in a fresh clone; and timed.

The clone is of the checkout as it stands. Its environment is not installed again, which takes minutes: where the page
says `make install`, it has one with the packages of the tests' own already, and the clone's code (`environments.py`);
that `make install` works on a bare machine is what `.ci/run` begins with.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import environments
from conftest import need
from deeprc.core.files import read_json
from printed import Shell, missing, printed

pytestmark = pytest.mark.timeout(1200)
ROOT = Path(__file__).resolve().parents[3]
PAGES = {name: printed((ROOT / name).read_text(encoding="utf-8")) for name in ("docs/tutorial.md", "README.md")}
STEPS = [
    (page, leg)
    for page, found in PAGES.items()
    for leg in dict.fromkeys(each.leg for each in found if not each.why_not)
]
# What may stay unrun; why, the page's source says.
UNRUN = {
    ("README.md", "make run"),
    ("README.md", "make test"),
    ("README.md", "snakemake --profile site/localhost --configfile mine.yaml"),
    ("README.md", "snakemake --profile site/frontera"),
    ("README.md", "deeprc image build cpu"),
    ("README.md", "snakemake --executor radical-pilot --jobs 1000 --radical-pilot-site localhost"),
}
LIMIT = 400  # seconds a leg may take: beside other tests, on two slow cores, four times what it does


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """A newcomer's folder."""
    return tmp_path_factory.mktemp("n", numbered=False)  # short: there are sockets below it


@pytest.fixture(scope="module")
def shell(here):
    """A newcomer's shell, who knows where the repository is."""
    repository = here / "repository.git"
    git = [
        "git",
        "--git-dir",
        repository,
        "--work-tree",
        ROOT,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "as it stands"]):
        subprocess.run([*git, *words], cwd=ROOT, check=True)
    (here / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPRC_", "PYTHON", "PYTEST_"))}
    path = {
        "HOME": f"{here}/home",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "REPOSITORY": str(repository),
    }
    shell = Shell(here, kept | path)
    try:
        yield shell
        if (here / "home" / ".cache" / "deeprc" / "cluster").exists():  # where a command after it has failed
            shell.run("deeprc cluster down", 60)
    finally:
        shell.close()


def prepared(here: Path, command: str) -> None:
    """What stands in for the minutes of an installation (see above); what no stage imports lies in the folder."""
    clone = here / "deep-rc"
    for name in ("typer", "deeprc_digits") if "pipelines=digits" in command else ():
        (clone / f"{name}.py").write_text("raise SystemExit('planted')")
    if command == "make install":
        environments.make(clone / ".venv", [clone / "app"])
        environments.equip(clone / ".venv")
        (clone / ".venv" / ".installed").touch()


@pytest.mark.parametrize(("page", "leg"), STEPS, ids=lambda word: re.sub(r"\W+", "-", word))
def test_what_is_printed_runs(page, leg, here, shell, record_property):
    if leg == "A cluster":
        need("slurm")
    seconds = 0.0
    for each in PAGES[page]:
        if each.leg != leg or each.why_not:
            continue
        prepared(here, each.short)
        code, said, took = shell.run(each.command, LIMIT)
        seconds += took
        assert code == 0, f"{each.command}\nended with {code} after {took:.0f} s:\n{said}"
        assert (line := missing(each.lines, said)) is None, f"{each.command}\ndid not print: {line}\n{said}"
    record_property("leg", (f"{page}: {leg or 'the beginning'}", round(seconds, 1), LIMIT))
    assert seconds < LIMIT


def test_what_is_not_run_is_on_the_list():
    assert {(page, each.short) for page, found in PAGES.items() for each in found if each.why_not} == UNRUN


def test_the_application_was_run_to_its_report_on_frames_of_two_ranks(here):
    results = here / "deep-rc" / "digits"
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


def test_another_version_redoes_all_that_it_made(here, shell):
    (about,) = (here / "deep-rc" / ".venv").glob("lib/*/site-packages/deeprc_digits-1.0.dist-info/METADATA")
    about.write_text(about.read_text().replace("\nVersion: 1.0", "\nVersion: 2.0"))
    for name in ("report.html", "run.json"):  # else a report would name 2.0 beside what 1.0 made
        (here / "deep-rc" / "digits" / name).unlink()
    dry = "cd ../deep-rc; snakemake --profile site/localhost -n --config pipelines=digits results=digits"
    code, said, _ = shell.run(dry, LIMIT)
    why = r" +1  the code of deeprc_digits has changed \(1\.0 → 2\.0\)$"
    found = [stage for stage in ("prepare", "train", "infer") if re.search(f"^digits_{stage}{why}", said, re.M)]
    assert code == 0 and found == ["prepare", "train", "infer"] and re.search("^report +1 ", said, re.M), said
