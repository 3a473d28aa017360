"""A pilot in the queue of a real Slurm: what it asks for, why it waits, and why it waits no longer."""

from __future__ import annotations

import pytest

from deeprc.pilot import Allocation, Outcome, Pilot, Task
from deeprc.pilot.queueing import Queueing
from deeprc.sites import load_site
from pilots import survivors, wait_for

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
        cluster.start()
        wait_for(lambda: pilot.allocation.queue_state, BEGIN)
        cluster.call("scancel", f"--name={pilot.allocation.job}")
        wait_for(lambda: pilot.allocation.look_after() or pilot.allocation.ended, 60)
        assert pilot.allocation.why == "its job was cancelled (scancel)"
    finally:
        pilot.close()
    wait_for(lambda: not cluster.jobs(), 30)


def test_an_account_and_a_queue_are_given_to_slurm_and_reserved_cores_left_alone(cluster, site, tmp_path, monkeypatch):
    """This Slurm charges nobody, and so takes any account: what it was told is looked at.

    The pilot's node is drained meanwhile, on which jobs end as they would. At last a job comes that goes before it.
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
        cluster.call("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "true")
        wait_for(lambda: pilot.allocation.look_after() or pilot.allocation.ended, 60)
        assert pilot.allocation.why == "Slurm has ended its job for another one (preemption)"
    finally:
        pilot.close()
    assert {outcome.state for outcome in outcomes} == {"DONE"}, before
    cores = {outcome.uid: {core for _, core in outcome.cores} for outcome in outcomes}
    assert cores["a"] == {1, 2, 3}
    assert cores["b"] < {1, 2, 3}
    wait_for(lambda: not cluster.jobs(), 30)
    assert survivors(tmp_path) == {}
