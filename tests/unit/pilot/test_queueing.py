"""What a user asks the batch system for: the exact words, beside those of the site."""

import pytest

from deeprc.core.errors import ConfigError
from deeprc.pilot import Allocation
from deeprc.pilot.queueing import Queueing
from deeprc.schedulers import scheduler
from samples.sites import cluster, laptop

SLURM, PBS, LSF = map(scheduler, ("slurm", "pbspro", "lsf"))
ALL = Queueing("m1", "debug", "hbm80g", "maintenance", True)


def test_each_setting_has_its_option():
    assert ALL.options(SLURM, []) == [
        "--account=m1", "--qos=debug", "--constraint=hbm80g", "--reservation=maintenance", "--exclusive",
    ]  # fmt: skip
    assert Queueing("geo", reservation="R12").options(PBS, ["-l", "select=2"]) == [
        "-l", "select=2", "-A", "geo", "-q", "R12",
    ]  # fmt: skip
    assert Queueing("geo", reservation="r", exclusive=True).options(LSF, []) == [
        "-P",
        "geo",
        "-U",
        "r",
        "-x",
    ]


@pytest.mark.parametrize(
    ("site", "given", "words"),
    [
        (["--qos=regular", "--nodes=2"], {"qos": "debug"}, ["--nodes=2", "--qos=debug"]),
        (["-q", "regular", "--nodes=2"], {"qos": "debug"}, ["--nodes=2", "--qos=debug"]),
        (["--account=all", "--exclusive"], {"account": "m1", "exclusive": True}, ["--account=m1", "--exclusive"]),
        (["--constraint=gpu"], {"constraint": "hbm80g"}, ["--constraint=gpu&hbm80g"]),
        (["-C", "gpu&hbm80g"], {"constraint": "hbm80g"}, ["--constraint=gpu&hbm80g"]),
        (["--exclusive=user"], {}, ["--exclusive=user"]),
    ],
)
def test_the_users_own_takes_the_place_of_the_sites(site, given, words):
    assert Queueing(**given).options(SLURM, site) == words


def test_a_reservation_of_pbs_is_its_queue():
    assert Queueing(reservation="R12").options(PBS, ["-q", "prod", "-l", "x=1"]) == [
        "-l",
        "x=1",
        "-q",
        "R12",
    ]


def test_constraints_that_cannot_be_joined_are_refused():
    with pytest.raises(ConfigError, match="cannot be joined") as error:
        Queueing(constraint="a|b").options(SLURM, ["--constraint=gpu"])
    assert error.value.found == "gpu and a|b"
    assert Queueing(constraint="a|b").options(SLURM, []) == ["--constraint=a|b"]


def test_what_a_batch_system_has_no_word_for_is_refused_by_name(tmp_path):
    with pytest.raises(ConfigError) as error:
        Queueing(qos="debug").check(PBS)
    assert str(error.value) == (
        "qos is asked for, but pbspro has no option for it\n"
        "  found: --radical-pilot-qos debug\n"
        "  expected: one of account, reservation\n"
        "  fix: leave it out, or write what is meant into the site file's scheduler_options"
    )
    with pytest.raises(ConfigError, match="exclusive is asked for, but there is no batch system"):
        Allocation(laptop(), queueing=Queueing(exclusive=True))
    Allocation(laptop(), queueing=Queueing("m1"))


def test_a_variable_of_the_user_is_filled_in_as_one_word():
    words = ["--qos=$QOS", "--comment=${WHY}/x"]
    assert Queueing().options(SLURM, words, {"QOS": "acc debug", "WHY": "a"}) == [
        "--qos=acc debug",
        "--comment=a/x",
    ]
    assert Queueing("$QOS").options(SLURM, [], {"QOS": "x"}) == ["--account=$QOS"]  # the user's words are the user's


@pytest.mark.parametrize("environment", [{}, {"DEEPRC_QOS": ""}])
def test_an_unset_variable_is_refused_before_anything_queues(environment, monkeypatch, tmp_path):
    monkeypatch.delenv("DEEPRC_QOS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    site = cluster(scheduler={"name": "slurm", "options": ["--qos=$DEEPRC_QOS"]})
    with pytest.raises(ConfigError) as error:
        Allocation(site)
    assert str(error.value) == (
        "$DEEPRC_QOS is not set, and the site's options for the batch system name it\n"
        "  found: --qos=$DEEPRC_QOS\n"
        "  fix: export DEEPRC_QOS=…, or give --radical-pilot-qos"
    )
    Allocation(site, queueing=Queueing(qos="debug"))
