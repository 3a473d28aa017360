"""Jobs that go wrong in odd ways: each is told as what it is, and the others go on."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from deeprc.learning.audit import audit
from deeprc.learning.peers import Alone
from deeprc.pilot.processes import SESSION
from pilots import QUIET, events, finish, run, start, survivors, wait_for

KILLED = Path(__file__).parents[1] / "frames" / "killed.py"
TOY = Path(__file__).parents[1] / "learning" / "toy.py"
TARGETS = ("killed.txt", "joined.txt", "children.txt", "world.txt", "measured.txt", "warm.a.txt", "warm.b.txt")
TARGETS += ("flaky.txt", "gathered.txt", "held.txt", "asked.1.txt", "asked.2.txt")
TARGETS += ("unknown.txt", 'odd."a".txt', "odd.b,c.txt", "odd.d\\e.txt", "odd.it's.txt")


@pytest.fixture(scope="module")
def minutes(tmp_path_factory):
    """Two workflows that begin first and are looked at last, since each waits for the minute that its pilot has."""
    cases = {
        "minute": ("--radical-pilot-pilots", "2", *QUIET, "minute.txt"),
        "late": ("--config", "seconds=300", *QUIET, "late.txt"),
        "trained": ("--radical-pilot-pilots", "4", "--config", f"toy={TOY}", *QUIET, "trained.txt"),
    }
    folders = {name: tmp_path_factory.mktemp(name) for name in cases}
    started = {
        name: (folders[name], start(folders[name], "faults.smk", "--radical-pilot-runtime", "1", *arguments))
        for name, arguments in cases.items()
    }
    yield started
    for _, process in started.values():
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def faults(minutes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    return folder, *run(
        folder, "faults.smk", "--keep-going", "--resources", "room=1", "--config", f"killed={KILLED}", *QUIET, *TARGETS
    )


def test_a_job_that_is_killed_by_a_signal(faults):
    _, code, output = faults
    assert code == 1
    assert "FAILED: killed (exit code 137, SIGKILL)" in output


def test_a_rank_that_is_killed_in_a_join_is_named(faults):
    """By the executor, with its node; and by the process beside the ranks."""
    folder, _, output = faults
    host = socket.gethostname()
    assert f"FAILED: killed_in_a_join (exit code 137, SIGKILL of rank 1 on {host})" in output
    said = [path.read_text() for path in folder.glob("**/jobs/*/out.?")]
    (words,) = [text for text in said if "rank 1 of 2 was killed (SIGKILL, process " in text]
    assert f" on {host}): all ranks end\n" in words


def test_what_a_job_leaves_behind_ends_with_it(faults):
    folder, _, output = faults
    assert "finished: leaves_children" in output
    left = [int(line) for line in (folder / "children.txt").read_text().split()]
    assert len(left) == 2
    assert not any(psutil.pid_exists(pid) for pid in left)


def test_a_world_of_the_wrong_size_is_a_failure(faults):
    folder, _, output = faults
    assert "FAILED: wrong_world (exit code 70 of rank " in output
    assert "  | error: the MPI world has 1 ranks, the job 2\n" in output
    assert "MPICH Version" in output
    assert not (folder / "world.txt").exists()


def test_memory_and_cpu_of_a_benchmark_are_those_of_the_command(faults):
    folder, _, output = faults
    header, row = (line.split("\t") for line in (folder / "measured.tsv").read_text().splitlines())
    figures = dict(zip(header, row, strict=True))
    assert 1.5 <= float(figures["s"]) < 60, output  # its 1.5 s of CPU take longer on a busy machine
    assert 190 < float(figures["max_rss"]) < 600  # MB; the block alone is 191
    assert 1.0 < float(figures["cpu_time"]) < 5  # the last look may be a quarter of a second before the end
    (job,) = [e for e in events(folder) if e["event"] == "job" and e["rule"] == "measured" and e["state"] == "finished"]
    assert 1.5 <= job["cpu_seconds"] < 5 and 200 < job["peak_mb"] < 600, job  # by the kernel, to the end


@pytest.mark.parametrize("case", ["a", "b"])
def test_a_warm_program_is_as_any_other(faults, case):
    folder, _, output = faults
    lines = (folder / f"warm.{case}.txt").read_text().splitlines()
    assert lines[:2] == ["True ['-c', 'a', 'b'] __main__", case], output
    assert lines[2:4] == ["3", "134"]
    assert lines[4] == "Namespaces are one honking great idea -- let's do more of those!"


def test_two_warm_jobs_share_a_worker_or_run_side_by_side(faults):
    folder, *_ = faults
    jobs = [e for e in events(folder) if e["event"] == "job" and e["rule"] == "warm" and e["state"] == "finished"]
    assert len(jobs) == 2
    assert all(len(job["cores"]) == 1 for job in jobs)


def test_a_retry_is_not_forgotten_where_a_checkpoint_ends_before_it(faults):
    folder, _, output = faults
    assert (folder / "flaky.txt").read_text() == "2\n", output
    assert (folder / "held.txt").exists()
    assert (folder / "part.a").exists()
    jobs = [(e["rule"], e["state"], e["attempt"]) for e in events(folder) if e["event"] == "job"]
    waited = ("flaky", "failed", 1), ("holds_room", "submitted", 1), ("parts", "finished", 1), ("flaky", "submitted", 2)
    assert sorted(map(jobs.index, waited)) == [*map(jobs.index, waited)]  # else the moment has not come about


def test_a_refusal_that_comes_late_fails_that_attempt_alone(faults):
    folder, _, output = faults
    assert (folder / "asked.1.txt").exists(), output
    assert not (folder / "asked.2.txt").exists()
    refused = "FAILED: asks_late (it cannot be run)\n  | rule asks_late asks for 1000 cores, the pilot has "
    assert output.count(refused) == 3
    told = [e for e in events(folder) if e["event"] == "job" and e["rule"] == "asks_late" and e["state"] == "failed"]
    assert sorted(e["attempt"] for e in told if e["start"] is None) == [1, 1, 2]  # the report lists them
    assert "Traceback" not in output


def test_a_command_that_cannot_be_made_fails_its_job_alone(faults):
    folder, _, output = faults
    refused = "FAILED: unknown_name (it cannot be run)\n  | AttributeError: 'ResourceList' object has no attribute "
    assert output.count(refused) == 2, output
    assert not list((folder / ".snakemake" / "incomplete").glob("*"))


def test_a_snakemake_inside_never_takes_a_job_for_another(faults):
    folder, _, output = faults
    for word in ('"a"', "b,c", "d\\e"):
        told = f"  | odd_wildcard word={word}: is run by a Snakemake of its own, since it is no `shell:` rule, "
        assert told in output, output
    assert {path.name for path in folder.glob("odd.*")} == {"odd.it's.txt"}
    assert (folder / "odd.it's.txt").read_text() == "it's"


def test_nothing_is_left(faults):
    assert survivors(faults[0]) == {}


def test_outputs_are_waited_for_but_not_for_ever(tmp_path):
    targets = ("appeared.txt", "never.txt")
    process = start(tmp_path, "faults.smk", "--keep-going", "--latency-wait", "6", *QUIET, *targets)
    try:
        wait_for(lambda: finished(tmp_path, "appears_late"), 240)
        time.sleep(1)
        (tmp_path / "appeared.txt").touch()
        code, output = finish(process, 120)
    finally:
        process.kill()
    assert code == 1
    # Snakemake names each file that it waits for; only the one that it gave up counts.
    assert output.count("MissingOutputException in rule") == 1
    given_up = output.partition("MissingOutputException in rule")[2]
    assert "never.txt (missing" in given_up
    assert "appeared.txt" not in given_up
    assert (tmp_path / "appeared.txt").exists()


def finished(folder, rule: str) -> bool:
    """Whether a rule's job has ended well, as far as the pilot is concerned."""
    if not list(folder.glob(".deeprc/runs/*/events.jsonl")):
        return False
    return any(e.get("rule") == rule and e["state"] == "finished" for e in events(folder))


def listens(pid: int) -> set[str]:
    """The addresses on which a process listens for others."""
    try:
        sockets = psutil.Process(pid).net_connections(kind="inet")
    except (psutil.Error, OSError):  # it has just ended
        return set()
    return {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}


def test_a_killed_agent_is_replaced_where_another_pilot_may_be_taken(tmp_path):
    """And all of its processes, three dozen of them, listen on loopback only."""
    process = start(
        tmp_path, "faults.smk", "--radical-pilot-pilots", "2", "--config", "seconds=300", *QUIET, "late.txt"
    )
    try:
        wait_for(lambda: (tmp_path / "late.txt").exists(), 240)
        agent = next(pid for pid, arguments in survivors(tmp_path).items() if "rp.agent.0" in " ".join(arguments))
        assert {address for pid in survivors(tmp_path) for address in listens(pid)} == {"127.0.0.1"}
        (tmp_path / "again").touch()  # the next attempt need not take as long
        psutil.Process(agent).kill()
        code, output = finish(process, 240)
    finally:
        process.kill()
    assert code == 0, output
    assert "taking another one for 1 jobs" in output
    assert (tmp_path / "late.txt").read_text() == "whole\n"
    assert survivors(tmp_path) == {}


@pytest.mark.requires("tmpfs")
def test_a_pilot_that_cannot_start_says_why(tmp_path, tmpfs):
    """Its folder is on a disk that is soon full; on one that is full already, none is started."""
    disk = tmpfs("6200k")
    options = ["--radical-pilot-folder", str(disk / "private"), *QUIET, "short.txt"]
    process = start(tmp_path, "faults.smk", *options)
    try:
        wait_for(lambda: [*disk.glob(f"private/runs/*/pilot-1/{SESSION}")] or process.poll() is not None, 240)
        with pytest.raises(OSError, match="No space left"):
            (disk / "large").write_bytes(bytes(7_000_000))
        code, output = finish(process, 240)
    finally:
        process.kill()
    assert code == 1
    (told,) = [line for line in output.splitlines() if "] FAILED: the pilot (" in line]
    assert f"; no space is left in {disk}/private/runs/" in told
    assert f"  log: {disk}/private/runs/" in output
    assert "Traceback" not in output
    assert survivors(tmp_path) == {}
    code, output = run(tmp_path, "faults.smk", *options)
    assert code == 1 and f"{disk}/private/runs: no space is left for the run's folder\n  found: 0 MB free\n" in output


@pytest.mark.requires("tmpfs")
@pytest.mark.parametrize("files", (9, 15, 21))
def test_a_disk_that_fills_up_while_the_pilot_is_started_is_one_error(files, tmp_path, tmpfs):
    """By its files, so that the moment is certain: there are so many of them and of folders before it has started."""
    disk = tmpfs("64m", f"nr_inodes={files}")
    code, output = run(tmp_path, "faults.smk", "--radical-pilot-folder", str(disk / "private"), *QUIET, "short.txt")
    assert code == 1
    assert "Traceback" not in output
    again = "remove folders of older runs, or name another folder by --radical-pilot-folder"
    assert f"  found: 67 MB free, but not one file more can be made\n  fix: {again}\n" in output
    assert survivors(tmp_path) == {}


def test_a_job_that_its_pilot_would_not_live_to_see_the_end_of_gets_another(minutes):
    folder, process = minutes["minute"]
    code, output = finish(process, 240)
    assert code == 0, output
    assert (
        "the pilot has ended (what is left to do takes longer than it lives): taking another one for 1 jobs" in output
    )
    assert (folder / "minute.txt").read_text() == "done\n"
    assert sum(e["event"] == "pilot" and e["state"] == "starting" for e in events(folder)) == 2


def test_what_runs_when_the_pilots_time_is_over_is_incomplete(minutes):
    folder, process = minutes["late"]
    code, output = finish(process, 240)
    assert code == 1
    assert output.count("FAILED: the pilot (its time of 1 min is over)") == 1, output
    assert not (folder / "late.txt").exists()  # as after every failure: half a file is none
    assert survivors(folder) == {}


def test_a_training_that_outlives_its_pilot_goes_on_in_the_next_to_the_same_weights(minutes, tmp_path):
    """Two ranks, asked to save before the pilot's time is over. The first start is slow, those after it are not."""
    sys.path.append(str(TOY.parent))  # last: it must not hide our conftest
    from toy import train

    folder, process = minutes["trained"]
    code, output = finish(process, 240)
    log = (folder / "trained.log").read_text()
    assert code == 0, output + log
    assert "the pilot's time is nearly over: 1 jobs are asked to save and end" in output
    assert "the pilot has ended (its time of 1 min is over): taking another one for 1 jobs" in output
    assert "FAILED" not in output
    assert "goes on after step " in log
    assert (
        (folder / "training.saved")
        .read_text()
        .startswith("the job was asked to end: the training is saved after step ")
    )
    assert log.count(train(tmp_path, 24, Alone(), say=lambda line: None)) == 2
    verdict = audit(folder / "training")
    assert verdict.faults == [] and (verdict.epochs, verdict.rest) == (7, 68)
