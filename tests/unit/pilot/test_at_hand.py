"""The job that a pilot finds itself in: what it holds, and what is refused."""

from __future__ import annotations

import pytest

from deeprc.core.errors import ConfigError
from deeprc.pilot import Allocation, detached
from deeprc.pilot.at_hand import at_hand, partition_at_hand
from deeprc.schedulers.jobs import OwnJob
from deeprc.schedulers.slurm import Slurm
from deeprc.schedulers.slurm_job import parse_job
from deeprc.sites import load_site

# Slurm 22.05: scontrol show job --details --oneliner, of jobs on the cluster of the tests.
TOLD = (
    "JobId=46 JobName=deeprc-1 UserId=root(0) JobState=RUNNING Reason=None Requeue=1 RunTime=00:02:30 "
    "TimeLimit=1-00:20:00 TimeMin=N/A Partition=debug NodeList=node[1-2] NumNodes=2 NumCPUs=6 "
    "JOB_GRES=gpu:3 Nodes=node1 CPU_IDs=0-1,3 Mem=1000 GRES=gpu:2(IDX:0-1) Nodes=node2 CPU_IDs=0-3 Mem=1000 "
    "GRES=gpu:1(IDX:0) MinCPUsNode=1 WorkDir=/tmp "
)


def test_what_a_job_holds():
    assert parse_job(TOLD) == OwnJob("46", "debug", 2, 24 * 60 + 17.5, 3, 1, 1048)
    free = TOLD.replace("1-00:20:00", "UNLIMITED").replace("Mem=1000", "Mem=0")
    assert parse_job(free) == OwnJob("46", "debug", 2, None, 3, 1, 0)
    assert parse_job(TOLD.replace("JobState=RUNNING", "JobState=PENDING")) is None
    assert parse_job("") is None


def test_a_pilot_takes_what_the_job_holds_of_the_partition_of_its_queue(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "46")
    monkeypatch.delenv("DEEPRC_ALLOCATION", raising=False)
    monkeypatch.setattr(Slurm, "held", lambda self, environment: OwnJob("46", "debug", 3, 30.9, 1, 1, 900))
    there = Allocation(load_site("cluster-local"), "hydra", nodes=1, runtime=240)
    part = there.partition
    assert (there.nodes, there.runtime, part.name, part.cores, part.gpus) == (3, 30, "hydra", 1, 1)
    assert (part.memory_mb, there.queued, there.batch, there.submission()) == (900, False, True, None)
    assert Allocation(load_site("cluster-local"), "hydra", cores=2).cores == 3  # one of each node is the job's
    with pytest.raises(ConfigError, match="a task needs an allocation with --network=x, and the job at hand was begun"):
        there.want([("--network=x",)])
    monkeypatch.setenv("SLURM_NETWORK", "x")
    there.want([("--network=x",)])
    monkeypatch.setenv("DEEPRC_ALLOCATION", "new")
    assert Allocation(load_site("cluster-local"), nodes=2).queued


def test_a_job_of_another_queue_or_one_that_nobody_knows_is_refused():
    site = load_site("cluster-local")
    with pytest.raises(ConfigError) as told:
        partition_at_hand(site, None, OwnJob("7", "long", 1))
    assert str(told.value) == (
        "the job at hand is not of site cluster-local\n  found: job 7 in long\n  expected: one in debug\n"
        "  fix: begin it in such a job, or outside of jobs; or with DEEPRC_ALLOCATION=new, for a job of its own"
    )
    pbs = load_site("polaris")
    with pytest.raises(ConfigError, match="this is within a job, and PBS Pro does not say what it holds"):
        at_hand(pbs, {pbs.scheduler.system.job_variable: "1"})
    with pytest.raises(ConfigError, match="DEEPRC_ALLOCATION means nothing"):
        at_hand(site, {"DEEPRC_ALLOCATION": "old"})
    assert at_hand(load_site("localhost"), {"SLURM_JOB_ID": "1"}) is None
    assert at_hand(site, {}) is None


def test_no_run_is_left_behind_within_a_job(monkeypatch, tmp_path):
    """It would end with the job, at once where its script has nothing else to do."""
    monkeypatch.setenv("SLURM_JOB_ID", "46")
    monkeypatch.delenv("DEEPRC_ALLOCATION", raising=False)
    monkeypatch.setattr(Slurm, "held", lambda self, environment: OwnJob("46", "debug", 3, 30.9))
    there = Allocation(load_site("cluster-local"), "hydra")
    with pytest.raises(ConfigError, match="no run goes on without its terminal within a job"):
        detached.begin(tmp_path / "p", ["true"], 1, cwd=tmp_path, allocation=there, pilots=1, grace=30)
    assert not (tmp_path / "p").exists()


def test_jobs_that_the_pilot_within_the_runs_own_job_would_not_live_to_see_are_refused_before_it_queues(monkeypatch):
    """It begins later than its job, and has whole minutes."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    queued, here = (Allocation(load_site(name), runtime=60) for name in ("cluster-local", "localhost"))
    assert detached.minutes(queued, detach=True) == 58
    assert detached.minutes(queued, detach=False) == detached.minutes(here, detach=True) == 60
