"""What a run without a terminal keeps of where it began, when it begins anew, and what is left of those that ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError, DeepRCError
from deeprc.core.files import write_json
from deeprc.pilot import detached, keeper
from deeprc.pilot.worker import surroundings
from pilots import wait_for
from snakemake_executor_plugin_radical_pilot.detach import refuse_two

BEGUN = {
    b"HOME": b"/home/me", b"SLURM_JOB_ID": b"7", b"SLURM_CONF": b"/etc/slurm.conf", b"DEEPRC_ADDRESS": b"10.0.0.1",
    b"DEEPRC_ALLOCATION": b"new", b"DEEPRC_RUN": b"/mine/runs/outer",
}  # fmt: skip


def left(folder: Path, **facts: object) -> Path:
    """The folder of a run that has begun."""
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"scheduler": None, "host": "h", "since": time.time(), "site": "s"} | facts)
    (folder / "environment").write_bytes(surroundings.dump(BEGUN))
    return folder


def test_the_job_of_a_run_takes_its_own_nodes_whatever_was_said_where_it_began(tmp_path, monkeypatch):
    """`new` was for the job in which it was begun: within its own it would wait for a second one's nodes."""
    for name in [name for name in keeper.os.environ if surroundings.LAUNCHERS.match(name.encode())]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    folder = left(tmp_path / "run-1")
    assert keeper.environment(folder, {"scheduler": "slurm", "site": "here"}) == {
        b"HOME": b"/home/me", b"SLURM_JOB_ID": b"8", b"SLURM_CONF": b"/etc/slurm.conf", b"DEEPRC_SITE": b"here",
        b"DEEPRC_RUN": b"/mine/runs/outer", b"DEEPRC_DETACHED": b"run-1",
    }  # fmt: skip


def test_a_workflow_within_a_job_is_not_taken_for_the_run_that_its_job_is_of():
    """Each job knows its run's folder as DEEPRC_RUN: a Snakemake in it may detach, and finds other runs."""
    assert keeper.RUN != "DEEPRC_RUN"
    theirs = BEGUN | {keeper.RUN.encode(): b"run-1"}
    assert surroundings.of_job(theirs, {}, shell=False) == BEGUN


def test_what_was_cancelled_does_not_begin_anew():
    """Also where its time is over meanwhile."""
    over, cancelled = signal.SIGUSR1, signal.SIGINT
    assert keeper.goes_on([over], 1, 2)
    assert keeper.goes_on([], 1, 2, said=True)
    assert not keeper.goes_on([over], 2, 2)
    assert not keeper.goes_on([cancelled], 1, 2, said=True)
    assert not keeper.goes_on([over, cancelled], 1, 2)
    assert not keeper.goes_on([cancelled, over], 1, 2)


def test_a_run_whose_time_is_over_waits_anew_before_slurm_has_said_so(tmp_path, monkeypatch):
    """Its pilot, which no other follows within the job, is given up as soon as nothing fits into its time."""
    command = ["/bin/sh", "-c", "touch detached/run-1/over; exit 1"]
    facts = {"scheduler": "slurm", "pilots": 2, "command": command, "program": 3, "cwd": str(tmp_path)}
    folder = left(tmp_path / detached.FOLDER / "run-1", **facts)
    (folder / "starts").write_text("1")
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\n')  # in Slurm's place
    (tmp_path / "scontrol").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "8"}
    done = subprocess.run([sys.executable, "-m", "deeprc.pilot.keeper", folder], env=environment, timeout=120)
    assert done.returncode == 1, (folder / "log").read_text()
    assert (tmp_path / "asked").read_text() == "requeue 8\n"
    assert (folder / "starts").read_text() == "2" and not (folder / "exit").exists()
    (folder / "over").unlink()
    detached.over(tmp_path)
    assert not (folder / "over").exists()
    monkeypatch.setenv(keeper.RUN, "run-1")
    detached.over(tmp_path)
    assert (folder / "over").exists()


def test_a_run_that_has_not_begun_yet_is_not_cancelled_by_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(detached, "BEGINS", 0.1)
    run = detached.Detached(left(tmp_path / "run-1"))
    assert run.lives
    with pytest.raises(DeepRCError, match="it is just beginning"):
        run.cancel()


def test_a_run_whose_keeper_was_killed_goes_on_and_can_be_cancelled(tmp_path):
    takes = "import signal, time; signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT]); time.sleep(60)"
    command = [sys.executable, "-c", takes]
    folder = left(tmp_path / detached.FOLDER / "run-1", command=command, program=1, cwd=str(tmp_path), pilots=1)
    run, process = detached.Detached(folder), subprocess.Popen([sys.executable, "-P", "-m", keeper.__name__, folder])
    try:
        wait_for((folder / "program.json").exists, 30)
    finally:
        process.kill()
        process.wait()
    assert (run.state, run.code, detached.living(tmp_path)) == ("running", None, [run])
    with pytest.raises(ConfigError, match="run-1 goes on"):
        detached.forget(run)
    run.cancel()
    wait_for(lambda: not run.lives, 30)
    assert run.state == "lost: it was killed, or its machine has gone down"


def test_no_environment_of_a_run_that_was_killed_stays_and_the_oldest_go(tmp_path):
    """It may hold secrets."""
    for number in range(detached.KEPT + 2):
        left(tmp_path / detached.FOLDER / f"run-{number:02}", since=0.0)
    living = left(tmp_path / detached.FOLDER / "run-90")
    detached.clear(tmp_path)
    folders = sorted(path.name for path in (tmp_path / detached.FOLDER).iterdir())
    assert folders == [*(f"run-{number:02}" for number in range(2, detached.KEPT + 2)), "run-90"]
    assert [path.parent for path in tmp_path.rglob("environment")] == [living]


def test_one_that_waits_and_is_cancelled_is_cancelled_at_once(tmp_path, monkeypatch):
    """Nobody else writes it down: its job never began. Slurm is a program in its place."""
    folder = left(tmp_path / detached.FOLDER / "run-1", scheduler="slurm", job="deeprc-1", number="7")
    squeue = """#!/bin/sh
case "$*" in
*=all*) [ -e {0}/gone ] && echo 'CANCELLED|None|' ;;
*) [ -e {0}/gone ] || echo 1 ;;
esac
"""
    for name, script in (("squeue", squeue), ("scancel", "#!/bin/sh\ntouch {0}/gone\n"), ("sinfo", "#!/bin/sh\n")):
        (tmp_path / name).write_text(script.format(tmp_path))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (run,) = detached.runs(tmp_path)
    with pytest.raises(ConfigError, match="run-1 goes on"):
        detached.forget(run)
    run.cancel()
    assert (run.state, run.code, (folder / "environment").exists()) == ("cancelled", 130, False)
    (folder / "exit").unlink()  # as it is after somebody's scancel
    assert run.state == "lost: its job was cancelled (scancel)"


def test_one_whose_batch_system_is_gone_for_good_is_forgotten_by_a_word(tmp_path, monkeypatch):
    folder = left(tmp_path / detached.FOLDER / "run-1", scheduler="slurm", job="deeprc-1", site="s", number="7")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeepRCError, match=rf"(?s)may go on.*deeprc run forget run-1 --folder {tmp_path}$"):
        refuse_two(tmp_path)
    detached.forget(detached.runs(tmp_path)[0])
    assert not folder.exists()
    refuse_two(tmp_path)
