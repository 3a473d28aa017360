"""Grid Engine, by what its commands print: Son of Grid Engine 8.1.9 as this project's tests start it, and variants."""

import pytest

from deeprc.core.errors import ConfigError
from deeprc.pilot.allocation import Allocation
from deeprc.schedulers import Job, Queue, Remark, gridengine, scheduler
from deeprc.sites.allocation import asked
from samples.sites import cluster

GRID = scheduler("gridengine")
OWN = {"scheduler": {"name": "gridengine"}, "launcher": {"name": "mpiexec-hydra", "pmi": ["pmi1"]}}


def host(name, queue="all.q", kind="BIP", slots=40, state="", **facts):
    values = {"arch_string": "lx-amd64", "num_proc": "80", "m_socket": "2", "m_core": "40", "mem_total": "187.5G"}
    lines = [f"<hostvalue name='{key}'>{value}</hostvalue>" for key, value in (values | facts).items()]
    own = {"qtype_string": kind, "slots_used": 8, "slots": slots, "slots_resv": 0, "state_string": state}
    lines += [f"<queue name='{queue}'>"]
    lines += [f"<queuevalue qname='{queue}' name='{key}'>{value}</queuevalue>" for key, value in own.items()]
    return "".join([f"<host name='{name}'>", *lines, "</queue></host>"])


def qhost(*hosts):
    none = "<host name='global'><hostvalue name='arch_string'>-</hostvalue></host>"
    return f"\n<?xml version='1.0'?>\n<qhost>{none}{''.join(hosts)}</qhost>\n"


QCONF_SE = """hostname              g1
load_scaling          NONE
complex_values        slots=40, \\
                      gpu=4
load_values           load_avg=14.457520,m_core=40
"""


def found(*hosts, files=None):
    return gridengine.parse_queues(gridengine.parse_hosts(qhost(*hosts), (files or {}).get))


def test_a_queue_is_one_for_each_kind_of_its_hosts_and_accelerators_are_all_that_there_are():
    """What `qhost` tells of a resource is what is left: one of four. Names of hosts are whole only as XML."""
    left = "<resourcevalue name='gpu' dominance='hc'>1.000000</resourcevalue><queue"
    gpu = host("g1.cluster.of.a.long.name.example.edu").replace("<queue", left, 1)
    queues, left_out = found(host("c1"), host("c2", mem_total="100.0G"), gpu, files={
        "g1.cluster.of.a.long.name.example.edu": QCONF_SE,
    })  # fmt: skip
    assert queues == [
        Queue("all.q", 2, 40, 107374, sockets=2, arch="x86_64"),
        Queue("all.q", 1, 40, 201326, "gpu:4", sockets=2, arch="x86_64"),
    ]
    assert left_out == []


@pytest.mark.parametrize(
    ("facts", "slots", "cores", "threads"),
    [
        ({}, 40, 40, 1),
        ({}, 80, 40, 2),  # a slot for each hardware thread
        ({}, 20, 20, 1),  # half of the cores are for others
        ({"m_core": "-", "m_socket": "-"}, 80, 80, 1),  # Sun's 6.2 tells processors only
    ],
)
def test_slots_and_cores(facts, slots, cores, threads):
    ((queue,), _) = found(host("c1", slots=slots, **facts))
    assert (queue.cores, queue.threads) == (cores, threads)


def test_queues_that_no_parallel_job_can_be_sent_to_are_left_out_by_name():
    queues, left_out = found(
        host("c1", "serial.q", "BI"), host("c2", "off.q", state="d"), host("c3", "gone.q", mem_total="-", state="au"),
        host("c4", "some.q", state="E"), host("c5", "some.q"), host("c6", "loaded.q", state="a"),
        host("a1", "arm.q", arch_string="lx-arm64"),
    )  # fmt: skip
    assert [(queue.name, queue.nodes, queue.arch) for queue in queues] == [
        ("some.q", 1, "x86_64"), ("loaded.q", 1, "x86_64"), ("arm.q", 1, "aarch64"),
    ]  # fmt: skip
    assert left_out == [
        "serial.q: its hosts are without a parallel environment", "off.q: its hosts are disabled",
        "gone.q: its hosts are unreachable",
    ]  # fmt: skip


def test_an_answer_that_is_no_xml_has_no_queues():
    assert gridengine.parse_hosts("error: commlib error", {}.get) == gridengine.parse_hosts("", {}.get) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-pe mpi-40"], ["-pe", "mpi-40", "80"]),
        (["-pe", "mpi-40", "-l h_rt=1:0:0"], ["-pe", "mpi-40", "80", "-l", "h_rt=1:0:0"]),
        (["-q long.q -pe mpi-40 -P m1"], ["-q", "long.q", "-pe", "mpi-40", "80", "-P", "m1"]),
        (["-pe one-slot {nodes}", "-l exclusive=true"], ["-pe", "one-slot", "2", "-l", "exclusive=true"]),
    ],
)
def test_the_slots_of_whole_nodes_stand_behind_the_parallel_environment(options, expected):
    site = cluster(**OWN, partition={"cores": 40, "scheduler_options": options})
    assert asked(site, site.partition(), 2, 4) == expected


def test_hardware_threads_and_reserved_cores_count_as_the_site_says():
    part = {"cores": 40, "threads_per_core": 2, "reserved_cores": [0], "scheduler_options": ["-pe mpi"]}
    site = cluster(**OWN, partition=part)
    assert asked(site, site.partition(), 3, 4) == ["-pe", "mpi", "234"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "gives a job without a parallel environment one slot"),
        (["-q all.q"], "gives a job without a parallel environment one slot"),
        (["-pe"], "-pe wants the name"),
        (["-pe", "-l", "gpu=1"], "-pe wants the name"),
        (["-pe mpi 96"], "-pe mpi 96 is as many slots for every plan"),
        (["-pe mpi 2-8"], "-pe mpi 2-8 is as many slots for every plan"),
    ],
)
def test_options_that_give_other_slots_than_planned_are_refused(options, message):
    with pytest.raises(ValueError, match=f"partition gpu: .*{message}"):
        cluster(**OWN, partition={"scheduler_options": options})


def test_no_pilot_can_be_had_and_nothing_queues():
    """RADICAL-Pilot 1.103 has resource managers for CCM, Cobalt, LSF, PBS Pro, Slurm, Torque, Yarn; PSI/J 0.9 executors
    for Cobalt, Flux, LSF, PBS, Slurm.
    """
    with pytest.raises(ConfigError) as error:
        Allocation(cluster(**OWN, partition={"scheduler_options": ["-pe mpi"]}))
    assert str(error.value) == (
        "site cluster: no pilot can have nodes from Grid Engine: what the pilot runs by has no way to its queue, nor"
        " to its nodes\n  found: scheduler gridengine\n  expected: one of fork, lsf, pbspro, slurm\n  fix: start the"
        " workflow within a job of one node, with --profile site/localhost; of several nodes, give the job the line"
        " that `deeprc plan` prints"
    )


QSTAT = """<?xml version='1.0'?>
<job_info><queue_info><job_list state="running"><JB_job_number>1</JB_job_number><JB_name>deeprc-0123456789</JB_name>
<state>r</state></job_list></queue_info><job_info><job_list state="pending"><JB_job_number>2</JB_job_number>
<JB_name>deeprc-012</JB_name><state>qw</state></job_list></job_info></job_info>"""


def test_jobs_are_found_by_their_whole_name():
    assert gridengine.parse_jobs(QSTAT, "deeprc-0123456789") == [("1", "r")]
    assert gridengine.parse_jobs(QSTAT, "deeprc-012") == [("2", "qw")]
    assert gridengine.parse_jobs(QSTAT, "deeprc") == []


def test_jobs_are_ended_by_their_numbers(programs, tmp_path):
    programs(qstat=QSTAT, qdel=f'#!/bin/bash\necho "$*" > {tmp_path}/ended\n')
    GRID.end("deeprc-012")
    assert (tmp_path / "ended").read_text() == "2\n"


QSTAT_J = """==============================================================
job_number:                 2
parallel environment:  mpi range: 20
scheduling info:            queue instance "all.q@vm" dropped because it is full
                            All queues dropped because of overload or full
"""


def test_why_a_job_waits():
    assert gridengine.parse_reasons(QSTAT_J) == [
        'queue instance "all.q@vm" dropped because it is full', "All queues dropped because of overload or full",
    ]  # fmt: skip
    failed = "error reason    1:          can't get password entry for user\n"
    assert gridengine.parse_reasons(failed + QSTAT_J) == ["can't get password entry for user"]
    assert gridengine.parse_reasons("job_number: 2\n") == []


def test_a_job_tells_its_nodes_and_that_it_is_one(tmp_path):
    """sge_pe(5): a line for each queue instance, so that a host may stand there twice."""
    (tmp_path / "hosts").write_text("c1 40 all.q@c1 UNDEFINED\nc2 20 all.q@c2 <NULL>\nc2 20 more.q@c2 <NULL>\n")
    assert GRID.nodes({"PE_HOSTFILE": str(tmp_path / "hosts")}) == 2
    assert GRID.nodes({}) == 1
    assert GRID.within({"SGE_JOB_SPOOL_DIR": "/x"})
    assert not GRID.within({"JOB_ID": "1"})  # which others set, too


@pytest.mark.parametrize(
    ("rule", "nodes", "same", "grave"),
    [
        ("40", 2, True, False),
        ("20", 2, False, False),
        ("$fill_up", 2, False, False),
        ("$round_robin", 2, False, False),
        ("$pe_slots", 2, False, True),
        ("$pe_slots", 1, None, False),
        ("$fill_up", 1, None, False),
    ],
)
def test_what_the_allocation_rule_makes_of_a_job(rule, nodes, same, grave):
    remark = gridengine.judge_rule("pe", rule, Job([], nodes, 40), "40 slots of a node")
    assert (remark.same, remark.grave) == (same, grave)
    assert bool(remark.fix) is (same is False)


def test_the_doctor_tells_what_the_options_are_to_it(programs):
    """A queue without the parallel environment never takes the job; a resource may be counted by slot, or by job."""
    kinds = "#name shortcut\ngpu g INT <= YES YES 0 0\nngpus ng INT <= YES JOB 0 0\nh_rt h_rt TIME <= YES NO 0 0"
    programs(
        qconf='#!/bin/bash\ncase "$1 $2" in\n"-sp mpi") echo "allocation_rule 40";;\n'
        f"'-sq long.q') cat <<'X'\npe_list smp,\\\n   make\nX\n;;\n-sc*) cat <<'X'\n{kinds}\nX\n;;\n*) exit 1;; esac\n"
    )
    job = Job(["-q long.q", "-pe mpi 80", "-l gpu=1,h_rt=9", "-l ngpus=4"], 2, 40)
    assert list(GRID.checks(job)) == [
        Remark("parallel environment mpi", "40 slots of a node", "40 slots of a node", True),
        Remark("queue long.q", "smp, make", "mpi", False, True,
               "one of these, or another queue: a job of mpi would wait for ever"),
        Remark("resource gpu", "1 for each slot, 40 times as many for a node", "gpu=1", None,
               fix="is that meant? (qconf -sc: gpu)"),
        Remark("resource ngpus", "4 for the whole job", "ngpus=4", None, fix="is that meant? (qconf -sc: ngpus)"),
    ]  # fmt: skip
