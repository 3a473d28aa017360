"""What goes with the code: pages in their list, the paper's references, actions of the forge, one licence."""

import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from deeprc.applications.forecasting.zoo import USUAL, ZOO
from deeprc.cli import command_line
from deeprc.sites import known_sites

ROOT = Path(__file__).resolve().parents[2]
HERE = {"localhost", "localhost-apptainer", "cluster-local"}  # sites that are no machine of somebody else's
WORDS = {11: "eleven", 14: "fourteen"}


def test_each_page_stands_in_the_list_of_pages():
    listed = re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", (ROOT / ".ci/docs/mkdocs.yml").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert pages - set(listed) == set()


@pytest.mark.parametrize("page", ["README.md", "paper.md", "CHANGELOG.md", "docs/alternatives.md"])
def test_the_machines_that_are_counted_are_those_that_are_described(page):
    found = re.findall(r"(\d+) (?:large )?machines\b", (ROOT / page).read_text(encoding="utf-8"))
    assert set(found) == {str(len(set(known_sites()) - HERE))}


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("README.md", f"{len(USUAL)} neural models"),
        ("docs/tutorial.md", f"models of the {WORDS[len(USUAL)]},"),
        ("docs/learning.md", f"ten of the {WORDS[len(ZOO)]} models"),
        ("CHANGELOG.md", f"forecasting with {WORDS[len(ZOO)]} PyTorch models"),
    ],
)
def test_the_models_that_are_counted_are_those_of_the_zoo(page, told):
    assert told in (ROOT / page).read_text(encoding="utf-8")


def test_the_interfaces_that_a_release_promises_are_there():
    released = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[2]
    promised = released.split("### Interfaces\n")[1].split("\n### ")[0]
    commands, targets = get_command(command_line([])), (ROOT / "Makefile").read_text()
    for group, name in re.findall(r"`deeprc ([a-z]+)(?: ([a-z]+))?`", promised):
        assert group in commands.commands and (not name or name in commands.commands[group].commands)
    assert all(re.search(f"^{target}:", targets, re.MULTILINE) for target in re.findall(r"`make ([a-z-]+)`", promised))
    for module in re.findall(r"`(deeprc\.[a-z.]+)`", promised):
        importlib.import_module(module)
    assert all((ROOT / file).is_file() for file in re.findall(r"\(((?:workflows|containers|docs)/[^,)]+)", promised))


def test_what_the_paper_cites_is_what_its_list_of_references_has():
    cited = set(re.findall(r"@([a-z]+)\b", (ROOT / "paper.md").read_text(encoding="utf-8")))
    assert cited == set(
        re.findall(r"^@[a-z]+\{([a-z]+),", (ROOT / "paper.bib").read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_the_paper_has_the_sections_that_its_journal_asks_for():
    text = (ROOT / "paper.md").read_text(encoding="utf-8")
    assert re.findall("^# (.+)$", text, re.MULTILINE) == [
        "Summary", "Statement of need", "State of the field", "Software design", "Research impact statement",
        "AI usage disclosure", "Acknowledgements", "References",
    ]  # fmt: skip
    assert 750 <= len(text.split()) <= 1750


@pytest.mark.parametrize("name", ["ci", "release"])
def test_an_action_is_pinned_by_its_commit(name):
    jobs = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    by_name = {action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)}
    assert used and by_name <= {"pypa/gh-action-pypi-publish@release/v1"}


@pytest.mark.parametrize("name", ["ci", "release"])
def test_what_a_step_runs_is_shell_with_no_secret_in_it(name):
    jobs = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert runs and not any("${{" in run for run in runs)  # what is put in so would be read as shell
    for run in runs:
        subprocess.run(["bash", "-n"], input=run, text=True, check=True)


def test_the_licence_is_one():
    plugin = ROOT / "app" / "snakemake_executor_plugin_radical_pilot"
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n") and (plugin / "LICENSE").read_text() == text
    projects = [tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, plugin)]
    assert {project["license"] for project in projects} == {"MIT"}
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["license"] == "MIT"
