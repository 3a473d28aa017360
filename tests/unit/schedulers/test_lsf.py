"""LSF, by what its commands print: recorded texts, each with its source."""

import pytest

from deeprc.schedulers import lsf
from deeprc.schedulers.queues import Queue

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


@pytest.mark.parametrize(
    ("resources", "gres"),
    [("(gpu a100)", "gpu:a100"), ("(a100 bigmem)", "gpu:a100"), ("(cuda)", "gpu"), ("(mg rhel4)", None), ("()", None)],
)
def test_accelerators_that_lsf_names_among_the_resources(resources, gres):
    head, line = LSHOSTS.splitlines()[0], "g001 X86_64 Intel 15.0 64 500G - Yes"
    assert [host[3] for host in lsf.parse_hosts(f"{head}\n{line} {resources}\n", {})] == [gres]
