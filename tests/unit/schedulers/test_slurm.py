"""Slurm, by what its commands print: recorded texts, each with its source, and programs that print them."""

import socket

import pytest

from deeprc.core.errors import ConfigError
from deeprc.schedulers import detect, slurm
from deeprc.schedulers.queues import Queue

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


def test_a_slurm_that_answers(programs):
    programs(
        sinfo='#!/bin/bash\n[ "$1" = --version ] && echo "slurm 23.02.7" && exit\n'
        f'case "$*" in *--nodes={HERE}) echo "gh|600|72|116000|(null)|2-00|1|72|1|up";; *)\n'
        'echo "gg|256|144|237000|(null)|2-00|2|72|1|up"; echo "gh|600|72|116000|(null)|2-00|1|72|1|up";; esac\n',
        scontrol="ClusterName             = gamma\nMpiDefault              = none",
    )
    found = detect()
    assert (found.name, found.version, found.cluster, found.default_pmi) == ("slurm", "23.02.7", "gamma", "none")
    assert [(queue.name, queue.here) for queue in found.queues] == [("gg", False), ("gh", True)]


def test_a_cluster_that_is_down_is_told_before_anything_is_submitted(programs, tmp_path):
    batch, conf = slurm.Slurm(), tmp_path / "slurm.conf"
    with pytest.raises(
        ConfigError, match=r"^no cluster is up\n  found: SLURM_CONF=\S+, which is not there\n  fix: deeprc"
    ):
        batch.require_up({"SLURM_CONF": str(conf)})
    conf.touch()
    programs(scontrol="#!/bin/sh\necho 'Slurmctld(primary) at a is DOWN'\nexit 1\n")
    with pytest.raises(ConfigError, match=r"(?s)no cluster is up.*Slurmctld\(primary\) at a is DOWN"):
        batch.require_up({"SLURM_CONF": str(conf)})
    programs(scontrol="Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP")
    batch.require_up({"SLURM_CONF": str(conf)})
