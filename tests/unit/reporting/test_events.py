"""Events files: what is read, what is left out, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deeprc.core.errors import InputError
from deeprc.reporting.events import latest, read_runs
from samples.results import MODELS, START, job, write_events


def test_a_run_is_read_whole(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    assert (run.id, run.site, run.host, run.cores, run.begin) == ("20260921T140640-7", "localhost", "node-1", 2, START)
    assert list(run.pilots[0]) == ["starting", "active", "closing", "closed"]
    assert len(run.tasks) == 5 + 2 * len(MODELS) + 3
    prepare = next(task for task in run.tasks if task.rule == "forecasting_prepare")
    assert (prepare.pipeline, prepare.stage, prepare.cores, prepare.ranks) == ("forecasting", "prepare", (0, 1), 2)
    assert prepare.seconds == 5.0
    assert run.over and run.end == run.pilots[0]["closed"]


def test_a_folder_of_runs_a_run_and_a_file_give_the_same(tmp_path):
    runs = write_events(tmp_path)
    folder = runs / "20260921T140640-7"
    assert read_runs(runs) == read_runs(folder) == read_runs(folder / "events.jsonl")


def test_runs_come_oldest_first_whatever_their_names(tmp_path):
    write_events(tmp_path, run="a", begin=START + 1000)
    runs = write_events(tmp_path, run="b", begin=START)
    assert [run.id for run in read_runs(runs)] == ["b", "a"]


def test_no_folder_is_no_run(tmp_path):
    assert read_runs(tmp_path / "nowhere") == []


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    file = write_events(tmp_path) / "20260921T140640-7" / "events.jsonl"
    file.write_text(file.read_text() + '{"event": "job", "ti')
    (run,) = read_runs(file)
    assert len(run.tasks) == 30


def test_a_bad_line_is_named_and_such_a_run_can_be_left_out(tmp_path):
    """Of a folder's runs one is of another release: the others are read, and its error says file and line."""
    write_events(tmp_path, run="good")
    file = write_events(tmp_path, run="other") / "other" / "events.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:3], '{"event": "pilot", "time": 1}\n', *lines[3:]]))
    with pytest.raises(InputError, match="an event 'pilot' without 'state'") as caught:
        read_runs(file.parent.parent)
    assert str(caught.value).startswith(f"{file}:4: ")
    left_out = []
    assert [run.id for run in read_runs(file.parent.parent, left_out)] == ["good"]
    assert [str(error) for error in left_out] == [str(caught.value)]


def test_a_job_that_only_was_submitted_is_no_task(tmp_path):
    file = write_events(tmp_path, rules=(("forecasting_check", {}),)) / "20260921T140640-7" / "events.jsonl"
    waiting = job(9, "forecasting_check", {}, "x", 1, [], START + 99, None, None, state="submitted")
    with file.open("a") as handle:
        handle.write(json.dumps(waiting | {"time": START + 99}) + "\n")
    (run,) = read_runs(file)
    assert [task.job for task in run.tasks] == [1]
    assert run.end == START + 99


def test_each_stage_is_told_by_its_latest_execution(tmp_path):
    write_events(tmp_path, run="first", begin=START)
    runs = write_events(
        tmp_path, run="second", begin=START + 1000, rules=(("forecasting_train", {"model": "NHITS"}), ("report", {}))
    )
    found = latest(read_runs(runs), ["results"])
    by_work = {task.work: task.run for task in found}
    assert len(by_work) == len(found) == 31
    assert by_work["forecasting_train", ("model", "NHITS")] == "second"
    assert by_work["forecasting_train", ("model", "GRU")] == "first"
    assert [task.start for task in found] == sorted(task.start for task in found)


def test_stages_of_other_results_folders_and_failed_ones_do_not_count(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    assert latest([run], ["elsewhere"]) == []
    run.tasks = [replace(task, failed=True) for task in run.tasks]
    assert latest([run], ["results"]) == []
