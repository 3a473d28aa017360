"""A pilot in the queue of a real Slurm: what it asks for, why it waits, and why it waits no longer."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import pytest

from deeprc.pilot import Allocation, Outcome, Pilot, Task
from deeprc.pilot.queueing import Queueing
from deeprc.schedulers import scheduler
from deeprc.sites import load_site
from pilots import survivors, wait_for
from slurm_cluster import private_cluster

pytestmark = pytest.mark.requires("slurm")
BEGIN = 240  # seconds that a pilot may take to start on a busy machine


def test_why_the_pilot_waits_in_the_queue_is_told_and_why_it_waits_no_longer(cluster, site, tmp_path, monkeypatch):
    """The controller is started anew meanwhile, which loses no job; then somebody cancels it."""
    for name, value in (cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    pilot = Pilot(Allocation(load_site(site), runtime=600), tmp_path / "pilot")  # the partition allows 60 minutes
    pilot.start()
    try:
        wait_for(lambda: pilot.allocation.queue_state, BEGIN)
        assert pilot.allocation.queue_state.startswith("PENDING (Partition")  # …Config at first, then …TimeLimit
        pilot.allocation.look_after()
        assert not pilot.allocation.ended
        # The controller writes down its jobs some seconds later; one that is killed before has lost them.
        wait_for(lambda: pilot.allocation.job.encode() in (cluster.folder / "state" / "job_state").read_bytes(), BEGIN)
        cluster.kill("slurmctld")
        with forgotten(cluster):
            cluster.start()
            same = Allocation(load_site(site), runtime=600)
            same.mark, same.state, same._known = pilot.allocation.mark, "STARTING", True
            same.give_up_for_ever()
            assert not same.ended  # it may just be on its way
            same.give_up_for_ever()
            assert (same.why, same.forgotten) == ("Slurm knows its job no more: it was lost before it began", True)
            cluster.kill("slurmctld")
        cluster.start()
        wait_for(lambda: pilot.allocation.queue_state, BEGIN)
        cluster.call("scancel", f"--name={pilot.allocation.job}")
        wait_for(lambda: pilot.allocation.look_after() or pilot.allocation.ended, 60)
        assert pilot.allocation.why == "its job was cancelled (scancel)"
    finally:
        pilot.close()
    wait_for(lambda: not cluster.jobs(), 30)


@contextlib.contextmanager
def forgotten(cluster) -> Iterator[None]:
    """Meanwhile the controller, which does not run, has written down no jobs."""
    state, kept = cluster.folder / "state", cluster.folder / "kept"
    state.rename(kept)
    state.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(state)
        kept.rename(state)


def test_a_job_that_has_its_nodes_and_has_not_begun_is_ended_by_who_interrupts_it(monkeypatch):
    """As one whose nodes boot: CONFIGURING, which is neither PENDING nor RUNNING. On a Slurm of its own."""
    with private_cluster() as cluster:
        monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
        hold, prolog = cluster.folder / "hold", cluster.folder / "prolog"
        prolog.write_text(f"#!/bin/sh\nwhile [ -e {hold} ]; do sleep 0.1; done\n")
        prolog.chmod(0o755)
        hold.touch()
        cluster.conf.write_text(f"{cluster.conf.read_text()}PrologSlurmctld={prolog}\n")
        cluster.kill("slurmctld")  # it starts this program by another one, which reads no file again
        cluster.start()
        cluster.call("sbatch", "--job-name=deeprc-begins", "--output=/dev/null", "--wrap", "sleep 1000")
        states = ["squeue", "--noheader", "--name=deeprc-begins", "--format=%T"]
        wait_for(lambda: cluster.call(*states).split() == ["CONFIGURING"], 60)
        scheduler("slurm").interrupt("deeprc-begins")
        hold.unlink()
        wait_for(lambda: scheduler("slurm").lives("deeprc-begins") is False, 60)


def test_an_account_and_a_queue_are_given_to_slurm_and_reserved_cores_left_alone(cluster, site, tmp_path, monkeypatch):
    """This Slurm charges nobody, and so takes any account: what it was told is looked at.

    The pilot's node is drained meanwhile, on which jobs end as they would. At last a job comes that goes before it, and
    Slurm puts it back into the queue, as some sites have it done with all jobs.
    """
    for name, value in (cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    pilot = Pilot(
        Allocation(load_site(site), "reserved", queueing=Queueing("hydrology"), runtime=5), tmp_path / "pilot"
    )
    assert pilot.allocation.cores == 3
    outcomes: list[Outcome] = []
    pilot.start()
    try:
        pilot.submit([Task("a", ["/bin/true"], ranks=3), Task("b", ["/bin/true"])])
        wait_for(cluster.jobs, BEGIN)
        assert cluster.call("squeue", "--noheader", "--format=%a %P").split() == ["hydrology", "debug"]
        wait_for(lambda: cluster.call("squeue", "--noheader", "--states=R", "--format=%N").strip(), BEGIN)
        node = cluster.call("squeue", "--noheader", "--format=%N").strip()
        cluster.call("scontrol", "update", f"nodename={node}", "state=drain", "reason=a fan")
        wait_for(lambda: outcomes.extend(pilot.outcomes()) or len(outcomes) == 2 or pilot.allocation.ended, BEGIN)
        before = pilot.allocation.why
        cluster.call("scontrol", "update", f"nodename={node}", "state=resume")
        number = cluster.call("squeue", "--noheader", "--format=%i").strip()
        cluster.call("scontrol", "update", f"jobid={number}", "requeue=1")
        cluster.call("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "true")
        wait_for(lambda: pilot.allocation.look_after() or pilot.allocation.ended, 60)
        assert pilot.allocation.why == "Slurm has put its job back into the queue (requeue)"
    finally:
        pilot.close()
    assert {outcome.state for outcome in outcomes} == {"DONE"}, before
    cores = {outcome.uid: {core for _, core in outcome.cores} for outcome in outcomes}
    assert cores["a"] == {1, 2, 3}
    assert cores["b"] < {1, 2, 3}
    wait_for(lambda: not cluster.jobs(), 30)
    assert survivors(tmp_path) == {}
