"""PBS Pro, by what its commands print: recorded texts, each with its source."""

import pytest

from deeprc.schedulers import pbspro
from deeprc.schedulers.queues import Queue

# ALCF's user guide (Polaris), ANL's notes on PBS, the University of Sydney's queues, and two PBS monitors' test data.
NODES = """x3002c0s7b1n0
     Mom = x3002c0s7b1n0.hsn.cm.polaris.alcf.anl.gov
     ntype = PBS
     state = free
     pcpus = 64
     resources_available.gputype = A100
     resources_available.host = x3002c0s7b1n0
     resources_available.mem = 527672492kb
     resources_available.ncpus = 64
     resources_available.ngpus = 4
     resources_assigned.ngpus = 0
     sharing = force_exclhost

x3002c0s7b2n0
     state = job-busy
     resources_available.gputype = A100
     resources_available.host = x3002c0s7b2n0
     resources_available.mem = 527672492kb
     resources_available.ncpus = 64
     resources_available.ngpus = 4

x3014c0s19b0n0
     state = offline,resv-exclusive
     resources_available.ncpus = 64
     resources_available.ngpus = 4

n001[0]
     state = free
     resources_available.host = n001
     resources_available.mem = 63482mb
     resources_available.ncpus = 16
     resources_available.Qlist = physics,long
n001[1]
     state = free
     resources_available.host = n001
     resources_available.mem = 63482mb
     resources_available.ncpus = 16
     resources_available.Qlist = physics,long
"""
QUEUES = """Queue: prod
    queue_type = Route
    route_destinations = small,large
    enabled = True
    started = True

Queue: small
    queue_type = Execution
    resources_max.nodect = 24
    resources_max.walltime = 03:00:00
    default_chunk.system = polaris
    enabled = True
    started = True

Queue: debug
    queue_type = Execution
    acl_users = alice,bob,charlie,dave,erin,frank,grace,heidi,ivan,judy,mallory,oscar,pe
\tggy,trent
    resources_max.nodect = 1
    enabled = True
    started = True

Queue: physics
    queue_type = Execution
    enabled = True
    started = True

Queue: old
    queue_type = Execution
    enabled = False
    started = True

Queue: stopped
    queue_type = Execution
    enabled = True
    started = False
"""


def test_pbs_nodes():
    gpu = {"cpus": 64, "memory": 527672492 * 1024, "gpus": 4, "model": "A100", "queues": set(), "owner": None}
    assert pbspro.parse_nodes(NODES) == [
        {"name": "x3002c0s7b1n0", **gpu},
        {"name": "x3002c0s7b2n0", **gpu},
        {
            "name": "n001",
            "cpus": 32,
            "memory": 2 * 63482 * 2**20,
            "gpus": 0,
            "model": None,
            "queues": {"physics", "long"},
            "owner": None,
        },
    ]


def test_pbs_queues():
    found, left_out = pbspro.parse_queues(QUEUES, pbspro.parse_nodes(NODES))
    assert found == [
        Queue("small", 2, 64, 540336, "gpu:A100:4"),  # at most 24, and there are two
        Queue("debug", 1, 64, 540336, "gpu:A100:4"),
        Queue("physics", 1, 32, 133131, None),
        Queue("physics", 2, 64, 540336, "gpu:A100:4"),  # nodes without a list of queues are for every queue
    ]
    assert left_out == [
        "prod: it only passes jobs on to small,large",
        "old: it takes no jobs (enabled = False)",
        "stopped: it starts no jobs (started = False)",
    ]


def test_a_queue_with_nodes_of_its_own_has_no_others_and_a_reservations_is_none():
    """OpenPBS' reference guide: the node's attribute `queue`; the names R, S and M of reservations' queues."""
    nodes = "a1\n     resources_available.ncpus = 64\n     queue = own\nb1\n     resources_available.ncpus = 32\n"
    queues = "Queue: own\n    enabled = True\nQueue: work\n    enabled = True\nQueue: R4711\n    enabled = True\n"
    assert pbspro.parse_queues(queues, pbspro.parse_nodes(nodes)) == (
        [Queue("own", 1, 64), Queue("work", 1, 32)],
        ["R4711: it is a reservation's, and goes with it"],
    )


@pytest.mark.parametrize(("kind", "model"), [("mi300a", "mi300a"), ("fat", None)])
def test_the_type_of_a_pbs_node_is_that_of_its_accelerators_where_it_is_known(kind, model):
    facts = {"ncpus": 96, "ngpus": 4, "node_type": kind}
    text = "n1\n" + "".join(f"     resources_available.{name} = {value}\n" for name, value in facts.items())
    assert [(node["gpus"], node["model"]) for node in pbspro.parse_nodes(text)] == [(4, model)]


def test_pbs_queues_without_a_word_of_nodes():
    assert pbspro.parse_queues(QUEUES, [])[0][0] == Queue("small", 24)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pbs_version = 2022.1.1.20220926110806", "pbspro"),  # Polaris
        ("pbs_version = 20.0.1", "pbspro"),  # OpenPBS
        ("PBSPro_19.2.4", "pbspro"),
        ("version: 14.1.0", "pbspro"),
        ("Version: 6.1.3\nCommit: abc", "torque"),
        ("version: 4.2.10", "torque"),
    ],
)
def test_torque_is_not_pbs_pro(text, expected):
    assert pbspro.which_pbs(text) == expected
