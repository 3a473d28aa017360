"""`tests/golden/<site>/<case>.txt`: a call of `deeprc plan` in the first line, and below it exactly what it prints.

A new case is a file with the first line only, which `pytest tests/golden --update-golden` then fills.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from deeprc.commands import plan
from deeprc.launch.choose import make_plan
from deeprc.launch.text import as_text
from deeprc.sites import known_sites, load_site, sites_folder

GOLDEN = Path(__file__).parent
PACKAGE = Path(plan.__file__).parents[1]  # where it is installed is each machine's own matter
CASES = sorted(path for path in GOLDEN.glob("*/*.txt") if path.parent.name != "jobs")  # those are test_jobs.py's
LOCAL = [name for name in known_sites() if load_site(name).scheduler.name == "fork"]  # what each machine has
SITES = [name for name in known_sites() if name not in LOCAL]


def output(line: str) -> str:
    """What the call prints."""
    program, command, *words = shlex.split(line.removeprefix("$ "))
    assert [program, command] == ["deeprc", "plan"], line
    app = typer.Typer()
    app.command()(plan.plan)
    context = typer.main.get_command(app).make_context("plan", words)
    options = {key: value for key, value in context.params.items() if key != "as_json"}
    options["command"] = list(options["command"] or [])
    return as_text(make_plan(**options)).replace(str(PACKAGE), "DEEPRC")


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_plan(path, request):
    text = path.read_text()
    line = text.partition("\n")[0]
    found = f"{line}\n{output(line)}"
    if request.config.getoption("--update-golden", default=False):
        path.write_text(found)
    assert f"--site {path.parent.name}" in line
    assert found == path.read_text(), (
        "if this change is meant: pytest tests/golden --update-golden, and read the difference"
    )


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_task_is_sent_over_tcp(path):
    assert not re.search(r"FI_PROVIDER=tcp|NCCL_NET=Socket|OMPI_MCA_btl=tcp|UCX_TLS=tcp", _launched(path))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_nccl_is_told_of_a_network_where_there_are_several_nodes_only(path):
    if not re.search(r"--nodes[ =]([2-9]|\d\d)", path.read_text().partition("\n")[0]):
        assert "NCCL_NET=" not in _launched(path)


def _launched(path: Path) -> str:
    """The environment and the launch line, without what the notes say."""
    return path.read_text().partition("\nnot verified\n")[0]


@pytest.mark.parametrize("name", SITES)
def test_a_site_has_golden_files(name):
    cases = {path.stem for path in (GOLDEN / name).glob("*.txt")}
    active = load_site(name).status.state == "active"
    assert cases >= ({"cpu-mpi", "wrong-image"} if active else set())
    assert cases, f"tests/golden/{name}/ has no case: write one with the first line only, and run --update-golden"


def test_golden_files_belong_to_sites():
    assert {path.parent.name for path in CASES} <= set(SITES)


@pytest.mark.parametrize("name", known_sites())
def test_a_site_says_whom_to_ask(name):
    site = load_site(name)
    assert site.contact
    assert site.url.startswith("https://") or (GOLDEN.parents[1] / site.url).is_file()


@pytest.mark.parametrize("name", SITES)
def test_facts_have_marks_and_sources(name):
    facts = [(place, fact) for place, fact in load_site(name).facts() if fact.model_fields_set]
    assert [place for place, fact in facts if fact.mark is None] == []
    assert [place for place, fact in facts if fact.mark in ("V", "V2", "!") and not fact.source] == []
    assert [place for place, fact in facts if fact.mark == "!" and not fact.note] == []
    assert any(fact.source for _, fact in facts)


@pytest.mark.parametrize("name", known_sites())
def test_a_profile_names_its_own_site(name):
    profile = yaml.safe_load((sites_folder() / name / "config.yaml").read_text())
    assert profile["radical-pilot-site"] == name
    if "radical-pilot-partition" in profile:
        assert load_site(name).partition(profile["radical-pilot-partition"])


def test_a_wrong_output_is_found(tmp_path):
    case = CASES[0].read_text()
    line = case.partition("\n")[0]
    assert f"{line}\n{output(line)}" != case.replace("--nodes=", "--nodes=1")
