"""Ranks, what is told of failures, and ends that come too early; two workflows at once, and one after the other."""

from __future__ import annotations

import os
import secrets
import signal
import time

import pytest

from deeprc.reporting.crate import kept
from pilots import QUIET, events, finish, holding, jobs_that_began, start, survivors, wait_for

BEGIN = 240  # seconds that two pilots at once may take to start on a busy machine


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two workflows at once: one is interrupted while it runs; the other has failures and goes on."""
    ranks, sleeper = tmp_path_factory.mktemp("ranks"), tmp_path_factory.mktemp("sleeper")
    failing = start(ranks, "mpi.smk", "--keep-going", *QUIET, "world.txt", "never.txt", "half.txt", "scripted.txt")
    sleeping = start(sleeper, "mpi.smk", "--config", "seconds=86.5", *QUIET, "slept.txt")
    try:
        wait_for(lambda: jobs_that_began(sleeper), BEGIN)
        interrupted = time.monotonic()
        sleeping.send_signal(signal.SIGINT)
        sleeping.communicate(timeout=60)
        seconds, left = time.monotonic() - interrupted, survivors(sleeper)
        result = finish(failing, BEGIN)
    finally:
        for process in (failing, sleeping):
            process.kill()
    return ranks, result, sleeper, sleeping.returncode, seconds, left


def test_ranks_share_a_world_and_their_output_is_joined(two):
    folder = two[0]
    assert sorted((folder / "logs" / "world.log").read_text().splitlines()) == ["0: rank 0 of 2", "1: rank 1 of 2"]
    assert [(folder / f"ranks.{rank}").read_text() for rank in (0, 1)] == ["2\n", "2\n"]
    job = next(e for e in events(folder) if e["event"] == "job" and e["rule"] == "world")
    assert job["argv"][0].endswith("/bin/mpiexec")
    assert job["argv"][1:3] == ["-np", "2"]


def test_one_rank_that_fails_ends_the_job_and_is_shown(two):
    """The failure: its name for people, the code of the rank that failed, its words, its log; and no output left."""
    folder, (code, output), *_ = two
    assert code == 1, output
    assert output.count("FAILED: do what cannot be done (exit code 7 of rank 1)") == 1
    assert "  | the reason is this\n  log: logs/fails.log\n" in output
    log = (folder / "logs" / "fails.log").read_text()
    assert log == "".join(f"0: {i}\n" for i in range(1, 101)) + "1: the reason is this\n"
    assert not (folder / "never.txt").exists()
    job = next(e for e in events(folder) if e.get("rule") == "one_rank_fails" and e["state"] == "failed")
    assert job["exit"] == 7
    assert job["time"] - job["start"] < 10


def test_a_rank_that_aborts_with_the_code_0_has_not_done_the_others_work(two):
    folder, (_, output), *_ = two
    said = "FAILED: one_rank_aborts (ended by its launcher (MPI_Abort?), which says that all is well: of 2 ranks 0"
    assert said in output
    assert not (folder / "half.txt").exists()


def test_a_script_that_fails_shows_its_error(two):
    _, output = two[1]
    assert "FAILED: script_fails (exit code 1)" in output
    assert "ValueError: from the script" in output


def test_what_was_written_stays_after_a_failure_and_its_place_is_told(two):
    folder, (_, output), *_ = two
    (kept,) = (folder / ".deeprc" / "runs").iterdir()
    assert f"the files of the pilot and its jobs were kept: {kept}" in output
    assert (kept / "pilot-1" / "log").is_dir()
    radicals = [path for path in (kept / "pilot-1" / "sandbox").rglob("*") if not path.is_symlink()]
    programs = {"bootstrap_2.sh", "gtod.sh", "prof"}  # which RADICAL-Pilot opens itself
    assert {path.name for path in radicals if path.stat().st_mode & 0o077} <= programs
    assert len(radicals) > len(programs)
    assert survivors(folder) == {}


def test_interrupt_ends_everything_quickly(two):
    _, _, folder, code, seconds, left = two
    assert code != 0
    assert seconds < 20  # 2 to 3 s on an idle machine; the job itself would take 86.5 s
    assert left == {}
    assert events(folder)[-1]["state"] == "closed"


def test_a_killed_client_takes_its_pilot_along_and_the_next_run_goes_on(tmp_path):
    """The next run, in the same folder, is asked to end (SIGTERM): Snakemake lets the running job finish."""
    token, password = secrets.token_hex(16), secrets.token_hex(16)
    options = ("--config", "seconds=86.5", f"password={password}")
    killed = start(tmp_path, "mpi.smk", *options, *QUIET, "slept.txt", API_TOKEN=token)
    try:
        wait_for((tmp_path / "slept.txt").exists, BEGIN)
        assert {path.rpartition("/")[2] for path in holding(tmp_path, token)} == {"environment"}
        assert {path.rpartition("/")[2] for path in holding(tmp_path, password)} == {"configuration.json"}
    finally:
        killed.kill()
        killed.wait()
    wait_for(lambda: not survivors(tmp_path), 30)
    assert holding(tmp_path, token, password) == []
    assert (tmp_path / "slept.txt").read_text() == ""  # half a file, as a crash leaves it

    again = start(tmp_path, "mpi.smk", "--unlock")
    assert finish(again, 120)[0] == 0
    options = ("--config", "seconds=3", f"password={password}")
    asked = start(tmp_path, "mpi.smk", "--rerun-incomplete", *options, *QUIET, "after.txt", API_TOKEN=token)
    wait_for(lambda: len(jobs_that_began(tmp_path)) == 2, BEGIN)
    asked.send_signal(signal.SIGTERM)
    finish(asked, 120)
    assert (tmp_path / "slept.txt").read_text() == "whole\n"
    assert survivors(tmp_path) == {}
    assert holding(tmp_path, token, password) == []
    # All jobs that were handed over ended well, and what comes after them was not handed over.
    assert [each.state for each in kept.all_of(tmp_path / ".deeprc/runs")] == ["killed", "ended early"]


def broker(folder) -> int | None:
    """The number of the process that holds RADICAL-Pilot, once it runs."""
    return next((pid for pid, arguments in survivors(folder).items() if "deeprc.pilot.broker" in arguments), None)


def test_killed_together_with_the_process_that_holds_radical_pilot_it_leaves_nothing(tmp_path):
    killed = start(tmp_path, "mpi.smk", "--config", "seconds=86.5", *QUIET, "slept.txt")
    try:
        wait_for((tmp_path / "slept.txt").exists, BEGIN)
    finally:
        for pid in (killed.pid, broker(tmp_path)):
            os.kill(pid, signal.SIGKILL)
        killed.wait()
    wait_for(lambda: not survivors(tmp_path), 30)
    assert list(tmp_path.glob(".deeprc/runs/*/environment")) == []


def test_interrupt_during_the_start(tmp_path):
    process = start(tmp_path, "mpi.smk", "--config", "seconds=86.5", *QUIET, "slept.txt")
    wait_for(lambda: broker(tmp_path), 120)
    time.sleep(3)  # in the midst of opening the session
    interrupted = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, _ = finish(process, 60)
    assert code != 0
    assert time.monotonic() - interrupted < 20  # the start is not waited for, nor its limit of 300 s
    assert survivors(tmp_path) == {}


def test_a_lost_pilot_is_told_once_and_ends_the_run(tmp_path):
    process = start(tmp_path, "mpi.smk", *QUIET, "world.txt", "never.txt")
    wait_for(lambda: broker(tmp_path), 120)
    time.sleep(3)
    os.kill(broker(tmp_path), signal.SIGKILL)
    code, output = finish(process, 60)
    assert code == 1
    assert output.count("FAILED") == 1
    assert "FAILED: the pilot (the process that holds RADICAL-Pilot has ended)" in output
    assert "Traceback" not in output
    failed = [e for e in events(tmp_path) if e["event"] == "job" and e["state"] == "failed"]
    assert {e["rule"] for e in failed} == {"world", "one_rank_fails"}
    assert survivors(tmp_path) == {}
