from dataclasses import replace
from pathlib import Path

import pytest

from deeprc.core.events import RunImage
from deeprc.pilot import Outcome
from deeprc.pilot.ended import for_memory
from snakemake_executor_plugin_radical_pilot.records import Stage, Submitted
from snakemake_executor_plugin_radical_pilot.resources import Request
from snakemake_executor_plugin_radical_pilot.runs import JobFiles

IMAGE = {"variant": "cpu", "digest": "sha256:" + "ab" * 32, "source": "built"}
SUBMITTED = {
    "event": "job",
    "time": 100.0,
    "state": "submitted",
    "job": 7,
    "rule": "train",
    "wildcards": {"model": "GRU"},
    "label": "train GRU",
    "ranks": 2,
    "cores_per_rank": 3,
    "submit": 100.0,
    "argv": ["mpiexec", "-np", "2", "job.sh"],
    "command": "python -m train GRU",
    "image": IMAGE,
    "output": ["gru.pt"],
    "attempt": 1,
    "cores": [],
    "nodes": [],
    "start": None,
    "stop": None,
    "exit": None,
    "log": None,
    "pilot": "pilot-2",
    "gpus_per_rank": 0,
    "memory_mb": 800,
    "minutes": 5.0,
    "cpu_seconds": None,
    "peak_mb": None,
    "input": ["data"],
    "spent": {},
}


def submitted(folder: Path, *, ranks: int = 2, logs: tuple[str, ...] = ("logs/gru.log",), attempts: int = 1):
    (folder / "job").mkdir()
    return Submitted(
        stage=Stage(7, "train", {"model": "GRU"}, "train GRU", ["gru.pt"], list(logs), 1, attempts, input=["data"]),
        asked=Request(ranks, 3, memory_mb=800, minutes=5),
        files=JobFiles(folder / "job"),
        workdir=folder / "work",
        argv=["mpiexec", "-np", "2", "job.sh"],
        time=100.0,
        command="python -m train GRU",
        image=RunImage(**IMAGE),
        pilot="pilot-2",
    )


def outcome(state: str = "DONE", code: int | None = 0, reason: str | None = None) -> Outcome:
    return Outcome("train.1", state, code, [("node", 0), ("node", 1)], reason)


def test_record_of_a_submission(tmp_path):
    assert submitted(tmp_path).record() == SUBMITTED


def test_record_of_a_stage_that_went_well(tmp_path):
    stage = submitted(tmp_path)
    (tmp_path / "job" / "times").write_text("101.5 103.25\n104.0 105.5\n")  # two repeats of a benchmark
    for rank in (0, 1):
        (tmp_path / "job" / f"out.{rank}").touch()
    (tmp_path / "job" / "cpu.0").write_text("0m0.010s 0m0.020s\n1m2.250s 0m0.500s\n")
    (tmp_path / "job" / "cpu.1").write_text("0m0,010s 0m0,020s\n0m3,000s 0m0,250s\n")  # as other languages write it
    (tmp_path / "job" / "spent").write_text("begun 102.25\ncheckpoint 0.5\n")
    assert stage.ended(outcome()).record(106.0) == SUBMITTED | {
        "time": 106.0,
        "input": None,
        "spent": {"import": 0.75, "checkpoint": 0.5},
        "state": "finished",
        "cpu_seconds": 66.0,
        "cores": [0, 1],
        "nodes": ["node", "node"],
        "start": 101.5,
        "stop": 105.5,
        "exit": 0,
        "log": str(tmp_path / "job" / "out.0"),
    }


def test_the_times_that_a_worker_has_told_are_those_of_the_job(tmp_path):
    stage = replace(submitted(tmp_path, ranks=1), time=100.0)
    ended = stage.ended(replace(outcome(), start=101.5, stop=103.25))
    assert ended.span == (101.5, 103.25)
    assert (ended.event(106.0).start, ended.event(106.0).stop) == (101.5, 103.25)


def test_its_command_is_shown_once_it_is_wanted(tmp_path):
    stage = replace(submitted(tmp_path), script="set -e; train ***\n")
    shown = tmp_path / "job" / "command.sh"
    assert not shown.exists()
    stage.show_command()
    assert shown.read_text() == "set -e; train ***\n"
    shown.write_text("what its ranks have read\n")  # it was too long for an argument
    stage.show_command()
    assert shown.read_text() == "what its ranks have read\n"


def test_record_of_a_rank_that_failed(tmp_path):
    """Rank 1 fails, and rank 0 is ended with it: it leaves no end of its own."""
    stage = submitted(tmp_path)
    (tmp_path / "job" / "started").write_text("101.5\n")
    (tmp_path / "job" / "code.1").write_text("7\n")
    ended = stage.ended(outcome("FAILED", 143))
    assert ended.record(106.0) == SUBMITTED | {
        "time": 106.0,
        "input": None,
        "state": "failed",
        "cores": [0, 1],
        "nodes": ["node", "node"],
        "start": 101.5,
        "stop": 106.0,
        "exit": 7,
        "log": str(tmp_path / "job" / "out.1"),
    }
    assert ended.why() == "exit code 7 of rank 1"
    (tmp_path / "job" / "code.1").write_text("139 node07\n")
    assert stage.ended(outcome("FAILED", 143)).why() == "exit code 139, SIGSEGV of rank 1 on node07"


def test_ranks_that_never_ran_are_a_failure_though_the_launcher_says_that_all_is_well(tmp_path):
    stage = submitted(tmp_path)
    (tmp_path / "job" / "out.0").touch()
    ended = stage.ended(outcome("DONE", 0))
    assert (ended.failed, ended.why()) == (True, "a world of the wrong size: of 2 ranks 1 never ran")


def test_ranks_that_were_cut_off_are_a_failure_though_the_launcher_says_that_all_is_well(tmp_path):
    """MPI_Abort with the code 0. Ranks of a gang, which has no script, write no such files."""
    stage = submitted(tmp_path)
    for name in ("out.0", "out.1", "cpu.1"):
        (tmp_path / "job" / name).touch()
    assert not stage.ended(outcome("DONE", 0)).failed
    stage.files.script.touch()
    ended = stage.ended(outcome("DONE", 0))
    said = "ended by its launcher (MPI_Abort?), which says that all is well: of 2 ranks 0 did not come to their end"
    assert (ended.failed, ended.why()) == (True, said)
    (tmp_path / "job" / "cpu.0").touch()
    assert not stage.ended(outcome("DONE", 0)).failed


def test_record_of_a_stage_that_never_began(tmp_path):
    record = submitted(tmp_path).ended(outcome("CANCELED", None)).record(106.0)
    assert (record["state"], record["start"], record["stop"], record["exit"]) == ("failed", None, None, None)


def test_a_failed_rank_is_a_failure_whatever_the_launcher_says(tmp_path):
    stage = submitted(tmp_path)
    (tmp_path / "job" / "code.0").write_text("3\n")
    ended = stage.ended(outcome("DONE", 0))
    assert (ended.failed, ended.code, ended.rank) == (True, 3, 0)


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (outcome("FAILED", 1), "exit code 1"),
        (outcome("FAILED", 137), "exit code 137, SIGKILL"),
        (outcome("FAILED", -15), "exit code -15, SIGTERM"),
        (outcome("FAILED", None, "no such file"), "no such file"),
        (outcome("CANCELED", None), "it was canceled"),
    ],
)
def test_cause_in_words(tmp_path, of, expected):
    stage = submitted(tmp_path, ranks=1, attempts=3)
    ended = stage.ended(of)
    assert ended.why() == f"{expected}; attempt 2 of 3 follows"
    assert ended.again


def test_a_launcher_that_ends_by_itself_is_told_as_such(tmp_path):
    stage = submitted(tmp_path)
    assert stage.ended(outcome("FAILED", 9)).why() == ("exit code 9 of the launcher, and of no rank: it said nothing")
    words = "[mpiexec@vm] HYD_pmcd_pmiserv_proxy_init_cb (pmiserv_cb.c:533): assert (…) failed"
    assert stage.ended(outcome("FAILED", 255, words)).why() == (
        f"exit code 255 of the launcher, and of no rank: {words}; any user of its node can end this mpiexec, "
        "see docs/security.md: run it again, on nodes of your own"
    )


def test_memory_of_a_job_that_a_snakemake_of_its_own_runs_is_told_as_such(tmp_path):
    of = outcome("FAILED", None, for_memory(100, 130.2))
    stage = submitted(tmp_path, ranks=1)
    plain = "ended for its memory: 130 MB were in use, mem_mb allows 100"
    assert stage.ended(of).why() == plain
    nested = replace(stage, nested=True).ended(of).why()
    assert nested == f"{plain}; the Snakemake that runs it needs 80 to 110 MB for itself"


def test_nothing_follows_the_last_attempt(tmp_path):
    assert not submitted(tmp_path).ended(outcome("FAILED", 1)).again


def test_ranks_are_joined_in_the_rules_log(tmp_path):
    stage = submitted(tmp_path)
    (tmp_path / "job" / "out.0").write_text("a\nb\n")
    (tmp_path / "job" / "out.1").write_text("c\n")
    stage.join_output()
    assert (tmp_path / "work/logs/gru.log").read_text() == "0: a\n0: b\n1: c\n"
    assert stage.ended(outcome()).log() == "logs/gru.log"


def test_a_log_that_the_ranks_wrote_themselves_stays(tmp_path):
    log = tmp_path / "work" / "logs" / "gru.log"
    log.parent.mkdir(parents=True)
    log.write_text("theirs\n")
    submitted(tmp_path).join_output()
    assert log.read_text() == "theirs\n"


@pytest.mark.parametrize(("ranks", "logs"), [(1, ("one.log",)), (2, ()), (2, ("one.log", "two.log"))])
def test_only_several_ranks_with_one_log_are_joined(tmp_path, ranks, logs):
    stage = submitted(tmp_path, ranks=ranks, logs=logs)
    (tmp_path / "job" / "out.0").write_text("a\n")
    stage.join_output()
    assert not (tmp_path / "work").exists()


def test_the_rank_that_failed_is_shown_not_the_last_one(tmp_path):
    """Rank 1 printed much and did not fail; the reason stands in rank 0's output."""
    stage = submitted(tmp_path)
    (tmp_path / "job" / "out.0").write_text("the reason\n")
    (tmp_path / "job" / "out.1").write_text("noise\n" * 100)
    (tmp_path / "job" / "code.0").write_text("1\n")
    stage.join_output()
    ended = stage.ended(outcome("FAILED", 1))
    assert ended.last_lines() == ["the reason"]
    assert ended.log() == "logs/gru.log"  # where all ranks' output is


def test_an_empty_log_gives_way_to_what_was_printed(tmp_path):
    stage = submitted(tmp_path, ranks=1)
    (tmp_path / "work/logs").mkdir(parents=True)
    (tmp_path / "work/logs/gru.log").touch()
    (tmp_path / "job" / "out.0").write_text("printed\n")
    ended = stage.ended(outcome("FAILED", 1))
    assert ended.last_lines() == ["printed"]
    assert ended.log() == str(tmp_path / "job" / "out.0")


def test_a_traceback_is_shown_that_what_was_printed_before_it_has_pushed_out(tmp_path):
    """Python keeps back what it prints into a file: it comes after the traceback."""
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in <module>', "ValueError: the reason"]
    stage = submitted(tmp_path, ranks=1, logs=())
    printed = tmp_path / "job" / "out.0"
    printed.write_text("\n".join([*trace, *(f"epoch {number}" for number in range(40))]))
    ended = stage.ended(outcome("FAILED", 1))
    assert ended.last_lines() == [*trace, "…", "epoch 37", "epoch 38", "epoch 39"]
    printed.write_text("\n".join([*(f"epoch {number}" for number in range(40)), *trace]))
    assert ended.last_lines() == [*(f"epoch {number}" for number in range(28, 40)), *trace]


@pytest.mark.parametrize(
    ("times", "span", "skew"),
    [
        ("101.5 103.0", (101.5, 103.0), 0.0),
        ("3701.5 3703.0", (104.5, 106.0), 3597.0),  # an hour ahead: it cannot have ended after that was heard
        ("50.5 52.0", (100.0, 101.5), -49.5),  # behind: it cannot have begun before it was handed over
    ],
)
def test_the_times_of_a_node_whose_clock_is_wrong_are_moved(tmp_path, times, span, skew):
    stage = submitted(tmp_path, ranks=1)
    (tmp_path / "job" / "times").write_text(f"{times}\n")
    ended = stage.ended(outcome())
    event = ended.event(106.0)
    assert ((event.start, event.stop), ended.skew(106.0)) == (span, skew)


@pytest.mark.requires("tmpfs")
def test_where_a_job_failed_and_there_is_no_room_that_is_said(tmp_path, tmpfs):
    disk = tmpfs("1m")
    stage = replace(submitted(tmp_path, ranks=1), workdir=tmp_path)
    stage = replace(stage, stage=replace(stage.stage, output=[f"{disk}/gru.pt"]))
    assert stage.ended(outcome("FAILED", 1)).why() == "exit code 1"
    (disk / "large").write_bytes(bytes(1_000_000))
    assert stage.ended(outcome("FAILED", 1)).why() == f"exit code 1; no space is left in {disk}"
