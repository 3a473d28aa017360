"""A run that goes on without its terminal, as a job of a real Slurm: shown, joined, never doubled, cancelled."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pilots import QUIET, events, finish, start, survivors, wait_for
from snakemake_executor_plugin_radical_pilot.private import sweep

pytestmark = pytest.mark.requires("slurm")
WORKFLOW = Path(__file__).with_name("detached.smk")
DEEPRC = Path(sys.executable).parent / "deeprc"
BEGIN = 300  # seconds that a run may take to be in the midst of its jobs, on a busy machine


@pytest.fixture(scope="module")
def run(cluster, site, tmp_path_factory):
    """The folder of a run that has begun and waits, how the command ended that has begun it, and its environment."""
    folder = tmp_path_factory.mktemp("detached")
    environment = cluster.environment | {"DEEPRC_ADDRESS": "127.0.0.1", "MY_WORD": "mine"}
    options = ["--radical-pilot-site", str(site), "--radical-pilot-nodes", "2", "--radical-pilot-runtime", "20"]
    options += ["--radical-pilot-pilots", "2"]  # where another job comes first, Slurm begins it anew

    def snakemake(*targets: str, detach: bool = False) -> subprocess.Popen:
        given = [*options, *(["--radical-pilot-detach"] if detach else []), *QUIET, *targets]
        return start(folder, str(WORKFLOW), *given, **environment)

    def deeprc(*words: str) -> subprocess.Popen:
        return subprocess.Popen(
            [DEEPRC, "run", *words], cwd=folder, env={**os.environ, **environment}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    yield folder, snakemake, deeprc
    for name in cluster.jobs():
        cluster.call("scancel", f"--name={name}")


def preempt(cluster, number: str) -> None:
    """Have a job of more weight come first, so that this one is put back into the queue; it need not wait there."""
    cluster.call("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap", "true")
    shown = ["squeue", "--noheader", f"--jobs={number}", "--Format=State:20,RestartCnt:10"]
    wait_for(lambda: cluster.call(*shown).split() == ["PENDING", "1"], 60)
    cluster.call("scontrol", "update", f"jobid={number}", "starttime=now")  # else two minutes, for its credentials


def test_it_goes_on_without_whoever_has_begun_it(run, cluster):
    folder, snakemake, deeprc = run
    code, told = finish(snakemake("failed.txt", detach=True), BEGIN)
    assert code == 0, told
    name, number = re.search(r"run (\S+) goes on without this terminal, job (\d+) of here-slurm", told).groups()
    shown = deeprc("attach")
    try:
        wait_for((folder / "began").exists, BEGIN)
        assert (folder / "first.txt").read_text().split() == [number, "mine", *cluster.jobs()]
        preempt(cluster, number)
        (folder / "began").unlink()
        wait_for((folder / "began").exists, BEGIN)
        assert (folder / "counted").read_text() == "first\n"  # what is done is not done again
        shown.send_signal(signal.SIGINT)  # Ctrl-C
        code, text = finish(shown, 60)
    finally:
        shown.kill()
    assert code == 130 and text.endswith(f"run {name} goes on: deeprc run attach {name}\n"), text
    assert text.count(f"starting a pilot on here-slurm, within job {number}: 8 cores") == 2
    assert "deeprc: the run begins again, with what is done\n" in text
    code, status = finish(deeprc("status", "--json"), 60)
    about = json.loads(status)
    assert (code, about["run"], about["state"], about["code"]) == (0, name, "running", None), status

    code, refused = finish(snakemake("first.txt", "--nolock", "--forceall"), BEGIN)  # another command
    assert code == 1 and f"run {name} of this folder goes on" in refused, refused
    again = snakemake("failed.txt")  # the very one: it joins
    try:
        assert any("this shows it" in line for line in again.stdout)
        assert len(cluster.jobs()) == 1
        (folder / "go").touch()
        code, joined = finish(again, BEGIN)
    finally:
        again.kill()
    assert code == 1 and "FAILED: fails (exit code 7)" in joined, joined
    ranks = (folder / "world.log").read_text()
    assert sorted(re.findall(r"(\d) of 4", ranks)) == ["0", "1", "2", "3"] and "on node2" in ranks
    code, told = finish(deeprc("attach", name), 60)
    assert code == 1 and told.endswith(joined)
    code, told = finish(deeprc("list"), 60)
    *_, last = told.splitlines()  # before it stands what ran before and after it was put back into the queue
    assert code == 0 and last == f"{name}  failed (exit code 1)  (job {number} of here-slurm)", told
    assert [event["exit"] for event in events(folder) if event.get("rule") == "fails" and "exit" in event][-1] == 7
    assert not [*folder.glob(".deeprc/detached/*/environment")]
    wait_for(lambda: not cluster.jobs(), 60)
    wait_for(lambda: not survivors(folder), 30)


def test_one_that_waits_is_cancelled_and_so_is_the_pilot_of_a_machine_that_went_down(run, cluster, monkeypatch):
    folder, snakemake, deeprc = run
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    (folder / "go").unlink(missing_ok=True)
    held = cluster.call(
        "sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--nodes=2", "--wrap", "sleep 1000"
    ).strip()
    try:
        code, told = finish(snakemake("failed.txt", detach=True), BEGIN)
        assert code == 0, told
        wait_for(lambda: "PENDING" in finish(deeprc("status"), 60)[1], 60)
        assert finish(deeprc("cancel"), 60)[0] == 0
        wait_for(lambda: ": cancelled, job" in finish(deeprc("status"), 60)[1], 60)
        # One that waits for a cluster that is dead ends as it is asked to; its job is ended by the next start.
        process = snakemake("failed.txt")
        try:
            wait_for(lambda: len(cluster.jobs()) == 2, BEGIN)
            (lost,) = [job for job in cluster.jobs() if job != "wrap"]
            written = cluster.folder / "state" / "job_state"
            wait_for(lambda: lost.encode() in written.read_bytes(), BEGIN)
            cluster.kill("slurmctld")
            process.send_signal(signal.SIGTERM)
            code, told = finish(process, 240)  # some seconds, on a machine without other work
        finally:
            process.kill()
            cluster.start()
        assert code == 1 and "the run was asked to end, and none of its jobs can have begun" in told, told
        assert lost in cluster.jobs()
        # Of a run that is not detached, all is killed at once that was on the machine where it began.
        process = snakemake("failed.txt")
        try:
            wait_for(lambda: len({*cluster.jobs()} - {lost}) == 2, BEGIN)
            for pid in [process.pid, *survivors(folder)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        finally:
            process.kill()
        assert f"a run of this folder was killed; ended: its job {lost}\n" in process.communicate()[0]
        (name,) = [job for job in cluster.jobs() if job != "wrap"]
        # As the next start does, which says so; what was just being forked when the others were killed is ended, too.
        assert sweep(folder / ".deeprc" / "runs")[-1] == f"its job {name}"
        wait_for(lambda: cluster.jobs() == ["wrap"], 30)
    finally:
        cluster.call("scancel", held)
