"""The rules as a graph: boxes, layers, and lines that say who reads what whom has made."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from deeprc.core.events import JobEvent
from deeprc.reporting.events import Run, _task, read_runs
from deeprc.reporting.graph import APART, HEIGHT, Rule, _acyclic, _layers, _reduced, graph
from samples.results import job, write_events


def task(number, rule, reads, *, run="r", start=None, seconds=2.0, **wildcards):
    begin = number * 10.0 if start is None else start
    row = job(number, rule, wildcards, rule, 1, [0], begin, begin, begin + seconds)
    made = "/".join([rule, *wildcards.values()])
    return _task(run, JobEvent(**row | {"output": [made]}), reads)


def run_of(*tasks) -> Run:
    return Run(id="r", begin=0, end=60, site="s", host="h", cores=2, tasks=list(tasks))


TASKS = [
    task(1, "x_prepare", ["data.csv"]),
    task(2, "x_train", ["x_prepare"], model="a"),
    task(3, "x_train", ["x_prepare/part"], seconds=3, model="b"),
    task(4, "x_predict", ["x_train/a/weights", "x_prepare"], model="a"),
    task(5, "x_evaluate", ["x_predict/a", "x_prepare"]),
    task(6, "y_prepare", []),
]


def test_a_rule_has_its_jobs_their_seconds_and_what_it_reads():
    found = graph(run_of(*TASKS), [])
    assert [(rule.name, rule.jobs, rule.seconds, rule.after) for rule in found.rules] == [
        ("x_prepare", 1, 2.0, []),
        ("x_train", 2, 5.0, ["x_prepare"]),
        ("x_predict", 1, 2.0, ["x_prepare", "x_train"]),
        ("x_evaluate", 1, 2.0, ["x_prepare", "x_predict"]),
        ("y_prepare", 1, 2.0, []),
    ]
    assert found.rules[1].told == "2 jobs · 5.0 s"
    assert found.in_words == (
        "Graph of 5 rules in 4 layers: x_train after x_prepare; x_predict after x_prepare and x_train; "
        "x_evaluate after x_prepare and x_predict."
    )


def test_boxes_stand_in_layers_and_lines_that_follow_from_others_are_left_out():
    found = graph(run_of(*TASKS), [])
    step = HEIGHT + APART
    assert {rule.name: (rule.x, rule.y) for rule in found.rules} == {
        "x_prepare": (0.25, 1), "y_prepare": (0.75, 1), "x_train": (0.5, 1 + step), "x_predict": (0.5, 1 + 2 * step),
        "x_evaluate": (0.5, 1 + 3 * step),
    }  # fmt: skip
    assert found.lines == [
        (0.25, 1 + HEIGHT, 0.5, 1 + step, True),
        (0.5, 1 + step + HEIGHT, 0.5, 1 + 2 * step, True),
        (0.5, 1 + 2 * step + HEIGHT, 0.5, 1 + 3 * step, True),
    ]
    assert (found.layers, found.widest, found.least) == (4, 2, 0)


def test_a_line_passes_a_layer_at_a_place_of_its_own():
    late = task(7, "z", ["x_evaluate", "y_prepare"])
    found = graph(run_of(*TASKS, late), [])
    passes = [line for line in found.lines if not line[4]]
    assert len(passes) == 6 and found.widest == 2  # three layers: to each, and through it
    boxes = {(rule.x, rule.y) for rule in found.rules}
    assert not {(x, y) for _, _, x, y, ends in found.lines if not ends} & boxes
    assert {(x, y) for _, _, x, y, ends in found.lines if ends} <= boxes


def test_jobs_of_earlier_runs_and_those_that_have_not_ended_are_told():
    old = [task(1, "x_prepare", [], run="old"), task(2, "x_train", ["x_prepare"], run="old", model="a")]
    run = run_of(task(3, "x_train", ["x_prepare"], model="b"), replace(TASKS[3], failed=True))
    run.begun[9], run.asked[9] = "report", ["x_train/b"]
    found = {rule.name: rule for rule in graph(run, old).rules}
    assert [(name, rule.jobs, rule.when) for name, rule in found.items()] == [
        ("x_prepare", 1, "earlier"), ("x_train", 2, "this run"), ("report", 0, "not ended yet"),
    ]  # fmt: skip
    assert (found["report"].after, found["report"].told) == (["x_train"], "has not ended yet")
    again = graph(run, [*old, task(4, "report", ["x_train/a"], run="old")])  # its last run's time is not this one's
    assert [(rule.name, rule.jobs, rule.told) for rule in again.rules][2] == ("report", 0, "has not ended yet")


def test_the_report_s_own_job_is_among_them_while_it_runs(tmp_path):
    runs = write_events(tmp_path, run="r", rules=(("x_prepare", {}),))
    file = runs / "r" / "events.jsonl"
    *lines, _, _ = file.read_text().splitlines()
    row = job(9, "report", {}, "report", 1, [], 5.0, None, None, "submitted") | {"input": ["results/x/prepare"]}
    file.write_text("\n".join([*lines, json.dumps(row)]) + "\n")
    (run,) = read_runs(runs)
    assert run.begun == {9: "report"}
    assert [(rule.name, rule.after) for rule in graph(run, []).rules] == [("x_prepare", []), ("report", ["x_prepare"])]


def test_without_what_jobs_read_there_is_none():
    assert graph(run_of(*(replace(each, input=None) for each in TASKS)), []) is None
    assert graph(run_of(), []) is None


def test_rules_that_feed_each_other_are_drawn_all_the_same():
    first, second = task(1, "a", []), task(2, "b", ["a"])
    again = task(3, "a", ["b", "a"], n="2")
    found = {rule.name: rule for rule in graph(run_of(first, second, again), []).rules}
    assert found["a"].after == ["b"] and found["b"].after == ["a"]
    assert found["a"].y < found["b"].y


def test_long_names_are_told_in_two_lines():
    def lines(name):
        return Rule(name, 1, 1.0, "#000").lines

    assert lines("forecasting_train") == ["forecasting_train"]
    assert lines("forecasting_predict_accelerated") == ["forecasting_", "predict_accelerat…"]
    assert lines("a" * 60) == ["a" * 17 + "…"] * 2
    assert lines("align_all_reads_of_one_sample_to_the_reference") == ["align_all_reads_o…", "sample_to_the_ref…"]


links = st.integers(1, 8).flatmap(
    lambda n: st.dictionaries(st.sampled_from(range(n)), st.sets(st.sampled_from(range(n))), min_size=1)
)


@given(links)
def test_each_stands_below_what_it_reads_and_is_still_below_all_that_it_was(given_links):
    names = {*given_links, *itertools.chain(*given_links.values())}
    after = {str(n): sorted(str(o) for o in given_links.get(n, ()) if o != n) for n in names}
    free = _acyclic(after)
    assert free.keys() == after.keys()
    if all(int(other) < int(name) for name, before in after.items() for other in before):
        assert {name: sorted(before) for name, before in free.items()} == after  # nothing went round: nothing is lost
    reduced, layer = _reduced(free), _layers(free)

    def above(links, name):
        return {*links[name]}.union(*(above(links, other) for other in links[name]))

    for name, before in free.items():
        assert all(layer[other] < layer[name] for other in before)
        assert above(reduced, name) == above(free, name)
    assert layer == _layers(reduced)
