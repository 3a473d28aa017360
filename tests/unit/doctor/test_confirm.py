"""What the doctor has seen is written into the site's file."""

import datetime
import shutil
from importlib.metadata import version

import pytest
import typer
from typer.testing import CliRunner

from deeprc.commands.doctor import doctor
from deeprc.core.errors import ConfigError
from deeprc.doctor.confirm import confirm
from deeprc.doctor.result import CheckResult
from deeprc.launch import Layout
from deeprc.sites import load_site, sites_folder

TODAY = datetime.date(2026, 11, 26)
TOOL = f"deeprc doctor {version('deeprc')}"


TWO_NODES = Layout(4, nodes=2)


def said(*subjects, status="ok"):
    return [CheckResult(check, subject, status, "") for check, subject in subjects]


def run(tmp_path, outcomes, layout=TWO_NODES, site="leonardo"):
    file = tmp_path / "site.yaml"
    if not file.exists():
        shutil.copy(sites_folder() / site / "site.yaml", file)
    where = load_site(file)
    lines = confirm(file, where, where.partition(), layout, outcomes, TODAY)
    return lines, load_site(file), file


def test_what_was_seen_is_marked_with_the_date_and_the_tool(tmp_path):
    outcomes = said(("machine", "PMI"), ("world", "world size"), ("provider", "MPI"), ("machine", "identity"))
    lines, site, file = run(tmp_path, outcomes)
    assert lines == [
        "launcher: seen (pmi, name)", "interconnect: seen (fabric, provider)", "identity: seen (hostnames)",
    ]  # fmt: skip
    assert (site.launcher.mark, site.launcher.date, site.launcher.unverified) == ("seen", TODAY, [])
    assert site.launcher.source.startswith(f"{TOOL} saw pmi, name; before: V, wiki.u-gov.it SCAIUS Booster+Section")
    assert site.launcher.source.endswith("(2025-03-20)")
    assert site.scheduler.mark == "V"  # not looked at
    was = (sites_folder() / "leonardo" / "site.yaml").read_text()
    assert [line for line in was.splitlines() if "#" in line] == [
        line for line in file.read_text().splitlines() if "#" in line
    ]


def test_of_a_partitions_own_launcher_the_sites_is_not_confirmed(tmp_path):
    text = (sites_folder() / "expanse" / "site.yaml").read_text()
    own = "  - name: gpu\n    launcher: {name: srun, pmi: [pmix], mark: U}\n"
    (tmp_path / "site.yaml").write_text(text.replace("  - name: gpu\n", own, 1))
    where = load_site(tmp_path / "site.yaml")
    outcomes = said(("machine", "PMI"), ("world", "world size"))
    lines = confirm(tmp_path / "site.yaml", where, where.partition("gpu"), TWO_NODES, outcomes, TODAY)
    assert lines == ["partitions.1.launcher: seen (pmi, name)"]
    site = load_site(tmp_path / "site.yaml")
    assert (site.launcher.mark, site.partition("gpu").launcher.mark) == ("V", "seen")


def test_what_nobody_verified_and_the_doctor_did_not_see_stays_so(tmp_path):
    lines, site, _ = run(tmp_path, said(("machine", "runtime")), site="anvil")
    assert lines == ["runtime: seen (kind); nobody has verified where"]
    assert (site.runtime.mark, site.runtime.unverified) == ("seen", ["where"])


def test_a_part_of_which_anything_is_wrong_is_left(tmp_path):
    outcomes = said(("machine", "PMI")) + said(("world", "world size"), status="failed")
    lines, site, _ = run(tmp_path, outcomes)
    assert lines == ["nothing of leonardo is confirmed: no part with a mark has been seen to be so as a whole"]
    assert site.launcher.mark == "V"


def test_one_rank_one_node_and_a_name_by_variable_say_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPRC_SITE", "leonardo")
    outcomes = said(("world", "world size"), ("provider", "MPI"), ("machine", "identity"))
    assert run(tmp_path, outcomes, Layout(1))[0][0].startswith("nothing of leonardo")


def test_a_second_run_does_not_pile_up(tmp_path):
    run(tmp_path, said(("world", "world size")))
    _, site, _ = run(tmp_path, said(("world", "world size")))
    assert site.launcher.source.count("deeprc doctor") == 1
    assert "before: V, wiki" in site.launcher.source


def test_an_mpi_of_the_host(tmp_path):
    lines, site, _ = run(tmp_path, said(("machine", "MPI openmpi")))
    assert lines == ["mpi.0: seen (implementation, version, family); nobody has verified pmi"]
    assert site.mpi[0].mark == "seen"


def test_the_command_shows_the_table_and_then_what_it_wrote(tmp_path):
    """A real look at this machine."""
    file = tmp_path / "site.yaml"
    text = (sites_folder() / "localhost" / "site.yaml").read_text()
    file.write_text(text.replace("scheduler: {name: fork}", "scheduler: {name: fork, mark: U}  # here"))
    app = typer.Typer()
    app.command()(doctor)
    done = CliRunner().invoke(app, ["--site", str(file), "--checks", "machine", "--confirm"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "scheduler: seen (name)"
    today = datetime.date.today()
    line = f'scheduler: {{name: fork, mark: seen, date: {today}, source: "{TOOL} saw name; before: U"}}  # here'
    assert line in file.read_text().splitlines()


def test_security_confirms_nothing():
    with pytest.raises(ConfigError, match="--security confirms no facts"):
        doctor(security=True, confirm=True)
