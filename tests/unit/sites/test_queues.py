"""Batch systems by what their commands print: recorded texts, each with its source, and programs that print them."""

import os
import socket

import pytest

from deeprc.schedulers import lsf, pbspro, queues, slurm
from deeprc.schedulers.queues import Queue
from deeprc.sites.detect import scheduler

HERE = socket.gethostname().partition(".")[0]
# Words after `sinfo --format=%R|%D|%c|%m|%G|%l|%X|%Y|%Z|%a`, whose fields are those of Slurm's manual.
SINFO = [
    (
        "this project's Slurm 22.05 in tests",
        "debug|2|4|4000|gpu:2|infinite|1|4|1|up",
        [Queue("debug", 2, 4, 4194, "gpu:2", sockets=1)],
        [],
    ),
    (
        "hardware threads are no cores: Perlmutter's CPU nodes, 2 x 64 cores of two threads",
        "cpu|3072|256|515000|(null)|infinite|2|64|2|up",
        [Queue("cpu", 3072, 128, 540016, None, threads=2, sockets=2)],
        [],
    ),
    (
        "processors that are cores although there are threads (CPUs= in slurm.conf)",
        "cpu|10|64|256000|(null)|infinite|2|32|2|up",
        [Queue("cpu", 10, 64, 268435, None, sockets=2)],
        [],
    ),
    (
        "nodes without accelerators in a partition of accelerators, and memory that differs",
        "gpu|12|128|1000000+|gpu:a100:4(S:0-1)|1-00:00:00|2|64|1|up\ngpu|3|128|900000|gpu:a100:4(S:0-1)|x|2|64|1|up\n"
        "gpu|20|64+|250000|(null)|1-00:00:00|2|32|1|up",
        [Queue("gpu", 15, 128, 943718, "gpu:a100:4(S:0-1)", sockets=2), Queue("gpu", 20, 64, 262144, None, sockets=2)],
        [],
    ),
    (
        "partitions that no job can be sent to",
        "empty|0|0|0|(null)|1:00:00|0|0|0|up\nold|5|16|64000|(null)|1:00:00|2|8|1|down\nnew|1|8|32000|(null)|1:00|1|8|1|up",
        [Queue("new", 1, 8, 33554, None, sockets=1)],
        ["empty: it has no nodes", "old: it is down"],
    ),
    (
        "a sinfo that knows six of the fields",
        "batch|9408|64|512000|(null)|infinite\nnonsense\n",
        [Queue("batch", 9408, 64, 536870, None)],
        [],
    ),
]


@pytest.mark.parametrize(("source", "text", "found", "left_out"), SINFO, ids=[one[0][:40] for one in SINFO])
def test_sinfo(source, text, found, left_out):
    assert slurm.parse_sinfo(text) == (found, left_out)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu:2", [(None, 2)]),
        ("gpu:a100:4(S:0-3)", [("a100", 4)]),
        ("gpu:v100:2(S:0),gpu:a100:2(S:1)", [("v100", 2), ("a100", 2)]),
        ("gpu:a100_1g.5gb:28(S:0-1)", [("a100_1g.5gb", 28)]),
        ("craynetwork:4,gpu:nvidia_a100-sxm4-80gb:8(S:0,2),shard:16", [("nvidia_a100-sxm4-80gb", 8)]),
        ("craynetwork:4", []),
        ("gpu:0", []),
        ("gpu:a100", [("a100", None)]),
        ("gpu", [(None, None)]),
        (None, []),
    ],
)
def test_gres(text, expected):
    assert queues.parse_gres(text) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("MpiDefault              = none", "none"),  # open-mpi/ompi#13523
        ("MpiDefault              = pmix", "pmix"),
        ("MpiDefault              = pmix_v4", "pmix"),
        ("MpiDefault              = cray_shasta", "cray"),  # Isambard-AI
        ("  MpiDefault              = pmi2  ", "pmi2"),
        ("MpiDefault              = (null)", "none"),  # new releases
        ("MpiParams               = (null)", None),
    ],
)
def test_the_default_pmi_is_slurms_own_word(said, expected):
    text = f"Configuration data as of 2026-01-01T00:00:00\nClusterName             = alpha\n{said}\nNEXT_JOB_ID = 7\n"
    config = slurm.parse_config(text)
    assert (config["ClusterName"], slurm.default_pmi(config)) == ("alpha", expected)


def test_this_nodes_partition():
    gg, gh = Queue("gg", 256, 144), Queue("gh", 600, 72)
    marked = lambda mine, environment: [queue.here for queue in slurm.this_node([gg, gh], mine, environment)]  # noqa: E731
    assert marked([gh], {}) == [False, True]
    assert marked([gg, gh], {"SLURM_JOB_PARTITION": "gg"}) == [True, False]
    assert marked([gg, gh], {}) == marked([], {}) == [False, False]  # it is in all of them, or in none: not told


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


# IBM's documents and a monitor's comments (liyanqing1987/lsfMonitor); gpu_model as `lshosts -gpu -w` prints it.
LSHOSTS = """HOST_NAME                     type       model           cpuf     ncpus maxmem maxswp server RESOURCES
lsfmaster                     X86_64     Intel_Platinum  15.0     8     31G     1.9G   No     (mg)
g001                          LINUXPPC64LE POWER9        25.0     176   605.8G  -      Yes    (CN)
g002                          LINUXPPC64LE POWER9        25.0     176   605.8G  -      Yes    (CN)
cmp01                         X86_64     Intel_Platinum  15.0     4     1.7G    1.9G   Yes    (mg)
down1                         UNKNOWN    UNKNOWN_AUTO_DETECT 1.0  -     -       -      Yes    ()
"""
LSHOSTS_GPU = """HOST_NAME   gpu_id       gpu_model   gpu_driver   gpu_factor      numa_id
g001             0 TeslaV100_SXM2_16GB       418.67          7.0            0
                 1 TeslaV100_SXM2_16GB       418.67          7.0            8
g002             0 TeslaV100_SXM2_16GB       418.67          7.0            0
                 1 TeslaV100_SXM2_16GB       418.67          7.0            8
"""
BQUEUES = """QUEUE_NAME      PRIO STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN  SUSP
priority         43  Open:Active       -    -    -    -     0     0     0     0
night             1  Closed:Inact      -    -    -    -     0     0     0     0
"""


def test_lsf():
    hosts = lsf.parse_hosts(LSHOSTS, lsf.parse_gpus(LSHOSTS_GPU))
    gpus = "gpu:TeslaV100_SXM2_16GB:2"
    assert hosts == [
        ("g001", 176, 650472, gpus, "ppc64le"), ("g002", 176, 650472, gpus, "ppc64le"),
        ("cmp01", 4, 1825, None, "x86_64"),
    ]  # fmt: skip
    assert lsf.parse_queues(BQUEUES, hosts) == (
        [Queue("priority", 2, 176, 650472, gpus, arch="ppc64le"), Queue("priority", 1, 4, 1825, None, arch="x86_64")],
        ["night: it takes no jobs (Closed:Inact)"],
    )
    assert lsf.parse_queues(BQUEUES, [])[0] == [Queue("priority", 1)]
    assert lsf.parse_hosts("", {}) == []


# IBM Spectrum LSF 10.1, command reference: bqueues (-l), bmgroup (-w, -r), lsb.queues HOSTS (groups with a slash,
# preferences, exclusion by `~`); older releases print a sentence for `all`.
BQUEUES_L = """
QUEUE: priority
  -- Jobs submitted for this queue are scheduled as urgent jobs.
PARAMETERS/STATISTICS
PRIO NICE STATUS          MAX JL/U JL/P JL/H NJOBS  PEND   RUN SSUSP USUSP  RSV PJOBS
 43    0  Open:Active       -    -    -    -     0     0     0     0     0    0     0

SCHEDULING PARAMETERS
           r15s   r1m  r15m   ut      pg    io   ls    it    tmp    swp    mem
 loadSched   -     -     -     -       -     -    -     -     -      -      -
USERS: all
HOSTS:  power/ cmp01+2
RERUNNABLE :  yes
-------------------------------------------------------------------------------

QUEUE: night
USERS:  all users
HOSTS:  all hosts used by the OpenLava system

QUEUE: rest
USERS: all
HOSTS:  all ~power

QUEUE: far
HOSTS:  others_cluster@remote
"""
BMGROUP = """GROUP_NAME       HOSTS
power            g001 g002
"""


def test_the_hosts_of_an_lsf_queue():
    every = {"g001", "g002", "cmp01"}
    limits = lsf.parse_limits(BQUEUES_L, lsf.parse_groups(BMGROUP), every)
    assert limits == {"priority": every, "night": every, "rest": {"cmp01"}}
    assert lsf.parse_limits(BQUEUES_L, {}, every) == {"night": every}  # what a group is, nobody tells
    queues = "QUEUE_NAME PRIO STATUS\nrest 1 Open:Active\nfar 1 Open:Active\n"
    hosts = lsf.parse_hosts(LSHOSTS, {})
    found, _ = lsf.parse_queues(queues, hosts, limits)
    assert [(queue.name, queue.nodes, queue.arch) for queue in found] == [
        ("rest", 1, "x86_64"), ("far", 2, "ppc64le"), ("far", 1, "x86_64"),
    ]  # fmt: skip


# Slurm 22.05 of this project's tests, and the forms of the manual of scontrol: Gres with sockets, a node never up.
NODES_OF_SLURM = """\
NodeName=gh1 Arch=aarch64 CoresPerSocket=72 CPUTot=72 Gres=gpu:gh200:1(S:0) State=IDLE Partitions=gpu,long MCS_label=N/A
NodeName=cpu1 Arch=x86_64 CoresPerSocket=64 CPUTot=128 Gres=(null) State=IDLE Partitions=long
NodeName=old1 Arch=x86_64 Gres=gpu:a100:4 State=IDLE Partitions=mixed
NodeName=new1 Arch=aarch64 Gres=gpu:a100:4 State=IDLE Partitions=mixed
NodeName=down1 CoresPerSocket=64 CPUTot=128 State=DOWN+NOT_RESPONDING Partitions=never
"""


def test_the_architecture_of_slurms_nodes():
    kinds = [("gpu", "gpu:gh200:1(S:0)"), ("long", "gpu:gh200:1(S:0)"), ("long", None), ("mixed", "gpu:a100:4"),
             ("never", None)]  # fmt: skip
    found = slurm.with_archs([Queue(name, 1, gres=gres) for name, gres in kinds], NODES_OF_SLURM)
    assert [queue.arch for queue in found] == ["aarch64", "aarch64", "x86_64", None, None]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("X86_64", "x86_64"),
        ("LINUXPPC64LE", "ppc64le"),
        ("LINUX_ARM64", "aarch64"),
        ("aarch64", "aarch64"),
        ("NTX64", None),
    ],
)
def test_what_batch_systems_call_an_architecture(said, expected):
    assert queues.architecture(said) == expected


@pytest.mark.parametrize(
    ("resources", "gres"),
    [("(gpu a100)", "gpu:a100"), ("(a100 bigmem)", "gpu:a100"), ("(cuda)", "gpu"), ("(mg rhel4)", None), ("()", None)],
)
def test_accelerators_that_lsf_names_among_the_resources(resources, gres):
    head, line = LSHOSTS.splitlines()[0], "g001 X86_64 Intel 15.0 64 500G - Yes"
    assert [host[3] for host in lsf.parse_hosts(f"{head}\n{line} {resources}\n", {})] == [gres]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that puts programs that print a text first on the PATH; `{name: text}`, or a script."""

    def put(**texts: str) -> None:
        for name, text in texts.items():
            path = tmp_path / name
            path.write_text(text if text.startswith("#!") else f"#!/bin/bash\ncat <<'X'\n{text}\nX\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return put


def test_a_slurm_that_answers(programs):
    programs(
        sinfo='#!/bin/bash\n[ "$1" = --version ] && echo "slurm 23.02.7" && exit\n'
        f'case "$*" in *--nodes={HERE}) echo "gh|600|72|116000|(null)|2-00|1|72|1|up";; *)\n'
        'echo "gg|256|144|237000|(null)|2-00|2|72|1|up"; echo "gh|600|72|116000|(null)|2-00|1|72|1|up";; esac\n',
        scontrol="ClusterName             = gamma\nMpiDefault              = none",
    )
    found = scheduler.scheduler()
    assert (found.name, found.version, found.cluster, found.default_pmi) == ("slurm", "23.02.7", "gamma", "none")
    assert [(queue.name, queue.here) for queue in found.queues] == [("gg", False), ("gh", True)]
