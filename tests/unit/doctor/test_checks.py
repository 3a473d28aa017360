"""What the checks make of what ranks say."""

import json

import pytest

from deeprc.commands.doctor import NAMES, SECURITY, doctor
from deeprc.core.errors import ConfigError
from deeprc.doctor import checks
from deeprc.doctor.probe.say import MARK
from deeprc.doctor.probe.world import allreduce_errors
from deeprc.doctor.ranks import Case, Output
from deeprc.doctor.security import CHECKS
from deeprc.launch import Layout
from deeprc.sites import load_site


class World:
    """A communicator of two ranks, seen from the first; `wrong` is added to its sums."""

    rank, size = 0, 2

    def __init__(self, wrong=0):
        self.wrong = wrong

    def Allreduce(self, here, total, op):
        total[:] = here + (here + 1)
        total[-1] += self.wrong

    def allgather(self, value):
        return [value, []]


@pytest.fixture
def case():
    site = load_site("localhost")
    return Case(site, site.partition(), Layout(ranks=2))


def output(*said, code=0, err=""):
    lines = "".join(f"\n{MARK}{json.dumps(one)}\n" for one in said)
    return Output("mpiexec -np 2 python", code, lines, err, 1.0)


def rank(number, size=2, host="n1"):
    return {"kind": "rank", "rank": number, "size": size, "host": host, "library": "MPICH Version: 5.0.2", "told": {}}


def test_a_wrong_sum_is_found():
    assert allreduce_errors(World()) == []
    assert "sum of 1000 int64 on rank 0" in allreduce_errors(World(wrong=1))
    assert len(allreduce_errors(World(wrong=1))) == 6


def test_a_wrong_sum_fails_the_check():
    speed = {"kind": "speed", "bytes": 8, "allreduce": 1e-6}
    found = checks._sums("allreduce", "MPI", output({"kind": "allreduce", "wrong": ["sum of 1"]}, speed))
    assert (found.status, found.text) == ("failed", "allreduce is wrong: sum of 1")
    right = checks._sums("allreduce", "MPI", output({"kind": "allreduce", "wrong": []}, speed))
    assert (right.status, right.figures) == ("ok", [{"bytes": 8, "allreduce_us": 1.0, "allreduce_mb_s": 8.0}])


@pytest.mark.parametrize(
    ("said", "code", "status", "words"),
    [
        ([rank(0), rank(1)], 0, "ok", "2 ranks on 1 node are one world (mpich 5.0.2)"),
        ([rank(0), rank(1, host="n2")], 0, "warning", "1 nodes were asked for"),
        ([rank(0), rank(0)], 0, "failed", "2 ranks came up"),
        ([rank(0)], 0, "failed", "1 ranks came up"),
        ([rank(0, size=1), rank(0, size=1)], 0, "failed", "2 worlds of one rank"),
        ([], 0, "failed", "nothing was printed"),
        ([rank(0), rank(1)], 9, "failed", "exit code 9"),
    ],
)
def test_the_world(case, said, code, status, words):
    found = checks._world(case, output(*said, code=code))
    assert found.status == status and words in found.text


def test_torch_that_is_missing_is_told(case, monkeypatch):
    absent = output({"kind": "absent", "why": "No module named 'torch'"})
    monkeypatch.setattr(checks, "start", lambda made, patience: absent)
    (found,) = checks.torch(case)
    assert (found.status, found.text) == ("not run", "No module named 'torch'")


def test_the_command_line_knows_the_checks():
    assert ([*checks.CHECKS, "applications"], [*CHECKS]) == (NAMES, SECURITY)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"security": True, "only": "world"}, "unknown check 'world'"),
        ({"only": "sockets"}, "unknown check 'sockets'"),
        ({"security": True, "ranks": 2}, "--ranks plays no part in deeprc doctor --security"),
        ({"folder": "x"}, "--folder plays no part in deeprc doctor without --security"),
    ],
)
def test_options_that_do_not_go_together(options, problem):
    with pytest.raises(ConfigError) as told:
        doctor(**options)
    assert told.value.problem == problem
