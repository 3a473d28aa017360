"""What becomes of jobs: the words that end, list and explain them, and what a job tells of itself."""

import re
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError
from deeprc.core.validation import validate
from deeprc.pilot.worker.surroundings import LAUNCHERS
from deeprc.schedulers import known_schedulers, scheduler, schedulers
from deeprc.schedulers.base import user
from deeprc.sites import Site
from samples.sites import PLAIN

WHO, NAMES = user(), known_schedulers()
ENDED = {
    "slurm": [f"scancel --quiet --user={WHO} --name=deeprc-1"],
    "pbspro": [f"qselect -u {WHO} -N deeprc-1", "qdel 7 8"],
    "lsf": ["bkill -J deeprc-1 0"],
}
LISTED = {
    "slurm": ["squeue --noheader --me --states=PD,CF,R,S --name=deeprc-1 --format=%i"],
    "pbspro": [f"qselect -u {WHO} -N deeprc-1 -s QR"],
    "lsf": ["bjobs -noheader -J deeprc-1 -o jobid"],
}


@pytest.mark.parametrize("name", ENDED)
def test_jobs_are_ended_and_listed_by_their_name_and_their_user(name, programs, tmp_path):
    """Of PBS in two steps: `qdel` takes numbers only."""
    note = f'#!/bin/bash\necho "${{0##*/}} $*" >> {tmp_path}/asked\n'
    programs(**dict.fromkeys(("scancel", "qdel", "bkill"), note))
    programs(**dict.fromkeys(("squeue", "qselect", "bjobs"), f"{note}printf '7\\n8\\n'\n"))
    scheduler(name).end("deeprc-1")
    assert (tmp_path / "asked").read_text().splitlines() == ENDED[name]
    (tmp_path / "asked").unlink()
    assert scheduler(name).left("deeprc-1") == ["7", "8"]
    assert (tmp_path / "asked").read_text().splitlines() == LISTED[name]


def test_where_no_job_has_that_name_none_is_ended(programs, tmp_path):
    programs(qselect="#!/bin/bash\n", qdel=f"#!/bin/bash\ntouch {tmp_path}/ended\n")
    scheduler("pbspro").end("deeprc-1")
    assert not (tmp_path / "ended").exists()


SQUEUE = """#!/bin/bash
case "$*" in
  *--name=deeprc-1*) echo "PENDING|Priority|debug|100|12|{start}" ;;
  *--partition=debug*) printf '%s\\n' {others} ;;
esac
"""


@pytest.mark.parametrize(
    "start, others, told",
    [
        ("N/A", "'100|12'", "PENDING (Priority)"),
        ("2026-11-26T14:05:00", "'100|12'", "PENDING (Priority), expected to start 2026-11-26T14:05:00"),
        (
            "2026-11-26T14:05:00",
            "'101|14' '100|12' '100|11' '100|13' '99|9' '100|7_[1-3]'",
            "PENDING (Priority), 3 of 5 others in debug come first, expected to start 2026-11-26T14:05:00",
        ),
    ],
)
def test_why_and_how_long_a_job_of_slurm_waits(start, others, told, programs):
    programs(squeue=SQUEUE.format(start=start, others=others))
    assert scheduler("slurm").waits("deeprc-1") == told


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Priority|4:00:00|debug", None),
        ("", None),
        (
            "QOSMaxNodePerJobLimit|4:00:00|debug",
            "it could never begin: Slurm says QOSMaxNodePerJobLimit of a job of 4:00:00 in debug; ask for fewer nodes:"
            " --radical-pilot-nodes, or another account or QoS",
        ),
    ],
)
def test_a_job_of_slurm_that_waits_for_ever(reason, told, programs):
    programs(squeue=reason)
    assert scheduler("slurm").never("deeprc-1") == told


def test_a_job_of_slurm_that_does_not_wait(programs):
    programs(squeue="")
    assert scheduler("slurm").waits("deeprc-1") is None


@pytest.mark.parametrize(
    "job, nodes, told, broken",
    [
        ("RUNNING|None|node[1-2]", "", None, ()),
        ("COMPLETED|None|node1", "", None, ()),
        ("", "", None, ()),
        (
            "NODE_FAIL|NodeDown|node[1-2]", "node1|idle|none\nnode2|down*|Not responding\nnode2|down*|Not responding",
            "Slurm has ended its job, since a node failed; node2 is down (Not responding)", ("node2",),
        ),
        ("CANCELLED|None|node1", "node1|idle|none", "its job was cancelled (scancel)", ()),
        ("PREEMPTED|None|node1", "", "Slurm has ended its job for another one (preemption)", ()),
    ],
)  # fmt: skip
def test_why_slurm_has_ended_a_job_and_which_nodes_are_at_fault(job, nodes, told, broken, programs):
    programs(squeue=job, sinfo=nodes)
    lost = scheduler("slurm").lost("deeprc-1")
    assert (lost and lost.why, lost.nodes if lost else ()) == (told, broken)


def test_what_was_asked_for_without_a_node():
    assert scheduler("slurm").without(["node2", "node4"]) == ["--exclude=node2,node4"]
    assert scheduler("slurm").without([]) == scheduler("pbspro").without(["node2"]) == []


# `qstat -f` of Imperial College's PBS Pro, as a user shows it; `bjobs -l` of IBM's LSF beside Kubernetes, in its demo.
QSTAT_F = """Job Id: 7
    Job_Name = deeprc-1
    job_state = Q
    Variable_List = PBS_O_HOME=/home/u,PBS_O_PATH=/opt/pbs/bin:/usr/bin,
\tPBS_O_HOST=login
    comment = Not Running: Queue K4-standard per-user limit reached on resource
\t ncpus
    etime = Mon Feb 13 19:00:07 2023
"""
BJOBS_L = """
Job <115>, Job Name <deeprc-1>, User <u>, Project <default>, Sta
                     tus <PEND>, Queue <priority>, Command <sleep 1000000>
Sat Mar 30 11:08:18: Submitted from host <ns01x03>, 4 Processors Requested;
 PENDING REASONS:
 New job is waiting for scheduling;

 SCHEDULING PARAMETERS:
           r15s   r1m  r15m
"""


@pytest.mark.parametrize(
    ("name", "texts", "why"),
    [
        ("pbspro", {"qselect": "7", "qstat": QSTAT_F},
         "Q (Not Running: Queue K4-standard per-user limit reached on resource ncpus)"),
        ("pbspro", {"qselect": "7", "qstat": "Job Id: 7\n    job_state = Q"}, "Q"),
        ("pbspro", {"qselect": "#!/bin/bash\n", "qstat": QSTAT_F}, None),
        ("lsf", {"bjobs": BJOBS_L}, "PEND (New job is waiting for scheduling)"),
        ("lsf", {"bjobs": BJOBS_L.replace("PEND>", "RUN>")}, None),
        ("lsf", {"bjobs": "#!/bin/bash\nexit 255\n"}, None),
        ("fork", {}, None),
    ],
)  # fmt: skip
def test_why_a_job_of_others_waits(name, texts, why, programs):
    programs(**texts)
    assert scheduler(name).waits("deeprc-1") == why


def test_the_nodes_of_a_job(tmp_path):
    (tmp_path / "nodes").write_text("x1\nx1\nx2\nx2\n")
    (tmp_path / "csm").write_text("launch1\n" + "h1\n" * 42 + "h2\n" * 42)  # Summit's first host has one slot
    (tmp_path / "slots").write_text("h1\nh2\nh3\n")
    for name, environment, nodes in (
        ("slurm", {"SLURM_JOB_NUM_NODES": "3"}, 3),
        ("pbspro", {"PBS_NODEFILE": str(tmp_path / "nodes")}, 2),
        ("pbspro", {"PBS_NODEFILE": str(tmp_path / "none")}, 1),
        ("lsf", {"LSB_DJOB_HOSTFILE": str(tmp_path / "csm")}, 2),
        ("lsf", {"LSB_DJOB_HOSTFILE": str(tmp_path / "slots")}, 3),
        ("fork", {"SLURM_JOB_NUM_NODES": "3"}, 1),  # this machine alone, also within somebody's job
    ):
        assert scheduler(name).nodes(environment) == nodes
        assert scheduler(name).nodes({}) == 1


@pytest.mark.parametrize("name", known_schedulers())
def test_what_every_batch_system_must_tell(name):
    """What a pilot, the doctor and a draft take from it without asking."""
    one = scheduler(name)
    assert one.within({}) is not one.batch
    if not one.batch:
        return
    assert one.within({one.job_variable: "7"})
    assert one.interactive
    assert one.queues
    assert "{}" in one.named
    assert one.tells
    assert bool(one.engine) != bool(one.no_pilot)  # a pilot, or why there can be none
    # It runs where there may be no deeprc, and cannot ask the classes; it must know what a pilot's jobs are told.
    told = [pattern.replace("*", "X").encode() for pattern in one.tells]
    assert not one.engine or all(LAUNCHERS.match(variable) for variable in told)


def test_the_page_lists_them_and_its_example_is_a_batch_system(tmp_path):
    """docs/add-a-scheduler.md: the table, and the class as it is printed there, but for its name, which stays free."""
    page = (Path(__file__).parents[3] / "docs" / "add-a-scheduler.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.M) == ["slurm", "pbspro", "lsf", "gridengine", "fork"]
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.M)) == NAMES
    example = re.search(r"```python\n(.*?)```", page, re.S)[1]
    names = {}
    exec(example.replace('@register("flux")', ""), names)  # its own text, of this repository
    assert names["Flux"]().detect() is None
    assert names["Flux"]().within({"FLUX_JOB_ID": "f1"})


def test_what_is_looked_for_first():
    """Slurm has wrappers that are called as the commands of others are."""
    assert schedulers()[0].name == "slurm"


def test_a_site_that_names_an_unknown_batch_system_is_told_the_nearest():
    with pytest.raises(ConfigError) as error:
        validate(Site, PLAIN | {"scheduler": {"name": "slrum"}}, where="site.yaml")
    assert str(error.value) == (
        f"site.yaml: key 'scheduler.name': Input should be {', '.join(map(repr, NAMES[:-1]))} or {NAMES[-1]!r}\n"
        "  found: 'slrum'\n  fix: did you mean 'slurm'?"
    )
