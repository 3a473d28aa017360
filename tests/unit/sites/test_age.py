"""How old facts are, and which should be read again."""

import datetime
import json

import pytest
from typer.testing import CliRunner

from deeprc.commands.sites import app
from deeprc.launch import Layout, compose
from deeprc.launch.text import as_text
from deeprc.sites.age import doubtful, months
from samples.sites import CLUSTER, cluster, laptop

TODAY = datetime.date(2026, 11, 26)


def facts(**marks):
    """The sample site, its parts with these marks."""
    parts = {name: CLUSTER[name] | mark for name, mark in marks.items() if name != "partitions"}
    return cluster(partition=marks.get("partitions"), **parts)


@pytest.mark.parametrize(
    ("date", "age"), [("2026-11-26", 0), ("2026-10-27", 0), ("2026-10-26", 1), ("2025-05-26", 18), ("2025-05-27", 17)]
)
def test_whole_months(date, age):
    assert months(datetime.date.fromisoformat(date), TODAY) == age


READ = {"mark": "V", "source": "a page", "date": "2026-11-01"}
SITE = facts(
    scheduler=READ | {"date": "2024-10-24"},
    launcher=READ | {"mark": "!", "note": "two say two things"},
    interconnect={"mark": "V", "source": "a page"},
    runtime={"mark": "U"},
    partitions=READ | {"unverified": ["nodes"], "date": "2025-05-26"},
)


def test_old_then_undated_then_disputed_then_unverified():
    found = [(each.place, each.reasons, each.months) for each in doubtful([SITE], TODAY)]
    assert found == [
        ("scheduler", ("old",), 25),
        ("partitions.gpu", ("old",), 18),
        ("interconnect", ("undated",), None),
        ("mpi.cray-mpich", ("undated",), None),
        ("launcher", ("!",), 0),
        ("partitions.gpu.nodes", ("U",), 18),
        ("runtime", ("U",), None),
    ]
    assert [each.place for each in doubtful([SITE], TODAY, older_than=24)][0:2] == ["scheduler", "interconnect"]


def test_a_date_yet_to_come_is_told_first():
    site = facts(scheduler=READ | {"date": "2062-05-12"}, launcher=READ | {"date": "2026-11-27"}, runtime={"mark": "U"})
    found = doubtful([site], TODAY)
    assert (found[0].place, found[0].reasons) == ("scheduler", ("future",))
    assert "launcher" not in [each.place for each in found]  # it is that day already where that was written


def test_a_plan_tells_the_oldest_fact_that_it_rests_on():
    plan = compose(SITE, SITE.partition(), Layout(2), ["run"])
    line = next(line for line in as_text(plan, TODAY).splitlines() if line.startswith("facts"))
    assert line == "facts      the oldest is of 2024-10-24, 25 months ago: scheduler, a page; 2 have no date"
    assert plan.record()["oldest_fact"] == {"fact": "scheduler", "date": "2024-10-24", "source": "a page"}
    assert "facts " not in as_text(compose(laptop(), laptop().partition(), Layout(2), ["run"]), TODAY)
    assert "facts " not in as_text(plan)  # a page of the documents stays true


def test_other_partitions_and_settings_are_no_part_of_a_plan():
    part = CLUSTER["partitions"][0]
    old = {"mark": "V", "source": "x", "date": "2020-01-01"}
    site = cluster().model_validate(
        CLUSTER
        | {"partitions": [part | READ, part | old | {"name": "other"}]}
        | {"settings": [old | {"when": {"nodes": "several"}}]}
    )
    plan = compose(site, site.partition(), Layout(2), ["run"])
    assert plan.record()["oldest_fact"]["fact"] == "partitions.gpu"
    assert compose(site, site.partition(), Layout(2, nodes=2), ["run"]).record()["oldest_fact"]["date"] == "2020-01-01"
    assert compose(site, site.partition("other"), Layout(2), ["run"]).record()["oldest_fact"]["fact"] == (
        "partitions.other"
    )


def test_the_command_lists_them_with_their_sources():
    done = CliRunner().invoke(app, ["check", "rivanna", "--json"])
    assert done.exit_code == 0, done.output
    launcher = next(each for each in json.loads(done.stdout) if each["place"] == "launcher")
    assert launcher["reasons"][-1] == "!"
    assert launcher["source"].startswith("UVA content/userinfo/howtos/rivanna/mpi-howto.md:59")
    table = CliRunner().invoke(app, ["check", "rivanna", "--older-than", "1"]).stdout
    assert "partitions.pod.cpu" in table
    assert "1 months or older" in table.splitlines()[-1]


def test_all_sites_in_service_are_asked():
    done = CliRunner().invoke(app, ["check", "--json"])
    sites = {each["site"] for each in json.loads(done.stdout)}
    assert {"frontier", "leonardo"} <= sites
    assert not {"summit", "localhost"} & sites
