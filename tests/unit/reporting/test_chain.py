"""The jobs that a run's length stands on, and the sentence on its largest loss."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deeprc.core.events import JobEvent
from deeprc.reporting.chain import ChainedJob, chain, largest_loss
from deeprc.reporting.events import Run, _task, read_runs
from samples.results import job, write_events


def task(number, rule, core, submit, start, stop, made, reads):
    told = job(number, rule, {}, f"do {rule}", 1, [core], submit, start, stop) | {"output": [made]}
    return _task("r", JobEvent(**told), reads)


def run_of(*tasks) -> Run:
    return Run(id="r", begin=0, end=60, site="s", host="h", cores=2, tasks=list(tasks))


PREPARE = task(1, "prepare", 0, 0, 5, 10, "p", ["data.csv"])
QUICK = task(2, "quick", 0, 10, 11, 13, "q", ["p"])
SLOW = task(3, "slow", 1, 10, 11, 31, "s", ["p/part.arrow"])
LATE = task(4, "late", 1, 10, 31.5, 40, "l", ["p"])
JOIN = task(5, "join", 0, 40.5, 41, 42, "j", ["q", "l", "s"])


def test_each_job_waited_for_the_one_before_it():
    assert chain(run_of(QUICK, JOIN, LATE, SLOW, PREPARE)) == [
        ChainedJob("prepare", "do prepare", 5, 5, "start"),
        ChainedJob("slow", "do slow", 1, 20, "input"),
        ChainedJob("late", "do late", 0.5, 8.5, "cores"),
        ChainedJob("join", "do join", 1, 1, "input"),
    ]


def test_the_whole_is_the_sum_of_what_its_jobs_waited_and_ran():
    links = chain(run_of(PREPARE, QUICK, SLOW, LATE, JOIN))
    assert sum(link.waited + link.ran for link in links) == JOIN.stop


def test_the_last_attempt_made_it_and_jobs_that_take_no_time_end_the_walk():
    lost = replace(PREPARE, failed=True, stop=9)
    again = task(1, "prepare", 1, 9, 9.5, 10, "p", [])
    assert [link.rule for link in chain(run_of(lost, again, QUICK))] == ["prepare", "prepare", "quick"][1:]
    still = [task(n, f"r{n}", 0, 5, 5, 5, f"o{n}", [f"o{1 - n}"]) for n in range(2)]
    assert len(chain(run_of(*still))) == 2


def test_of_an_older_release_it_is_not_known(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    assert chain(run) is None
    assert chain(run_of()) is None


def test_what_a_job_reads_is_told_when_it_is_handed_over(tmp_path):
    runs = write_events(tmp_path, rules=(("forecasting_check", {}),))
    file = runs / "20260921T140640-7" / "events.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    (ended,) = [each for each in lines if each["event"] == "job"]
    handed = ended | {"state": "submitted", "start": None, "stop": None, "cores": [], "nodes": [], "input": ["a"]}
    file.write_text("".join(json.dumps(each) + "\n" for each in [*lines[:3], handed, *lines[3:]]))
    (run,) = read_runs(runs)
    assert [one.input for one in run.tasks] == [["a"]]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"compute": 96, "import": 4}, "Nothing beside the work itself took more than 5 % of the time."),
        (
            {"compute": 60, "import": 30, "idle cores": 10},
            "Largest loss: import, 30 s of 1 min 40 s (30 %); give rules the same `warm`, `threads` and `mem_mb`,"
            " so that their jobs share workers.",
        ),
        (
            {"compute": 60, "idle cores": 40},
            "Largest loss: idle cores, 40 s of 1 min 40 s (40 %); the longest job that the others waited for was"
            " do slow (20 s): shorten it or give it more cores, or ask for fewer.",
        ),
        ({"data preparation": 10}, "Nothing beside the work itself took more than 5 % of the time."),
    ],
)
def test_the_largest_loss_and_what_to_do(found, told):
    assert largest_loss(found, chain(run_of(PREPARE, QUICK, SLOW, LATE, JOIN))) == told
    assert "ask for fewer cores" in largest_loss({"idle cores": 1}, None)
