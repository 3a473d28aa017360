"""Where the time went: parts that add up, whatever the run was like."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.core.events import JobEvent
from deeprc.reporting.breakdown import STATES, Waits, breakdown, covered, node_hours, wait, waits
from deeprc.reporting.events import PilotPlace, Run, _task, read_runs
from samples.results import START, job, write_events


def task(number, cores, submit, start, stop):
    return _task("r", JobEvent(**job(number, "forecasting_train", {}, "x", 1, cores, submit, start, stop)))


def run_of(tasks, *pilots, end):
    return Run(id="r", begin=0, end=end, site="s", host="h", cores=2, pilots=list(pilots), tasks=tasks)


def test_a_run_by_hand():
    tasks = [task(1, [0], 2, 12, 20), task(2, [1], 2, 12, 16), task(3, [1], 2, 17, 27)]
    pilot = {"starting": 1, "active": 11, "closing": 30, "closed": 33}
    found = breakdown(run_of(tasks, pilot, end=34))
    assert found.total == 34
    assert found.phases == {
        "workflow start": 1,
        "pilot start-up": 10,
        "tasks running": 15,  # 12 to 27
        "no task running": 4,  # 11 to 12, 27 to 30
        "pilot close": 3,
        "after the pilot": 1,
    }
    assert found.waits == Waits(pilot=27, cores=5, launch=3, run=22)
    assert found.utilisation == pytest.approx(22 / (2 * 19))


def test_what_a_task_waited_for():
    first = task(1, [0], 0, 10, 20)
    second = task(2, [0, 1], 0, 20.5, 30)
    other = task(3, [2], 0, 10, 20.4)
    assert wait(second, 9, [first, second, other]) == Waits(pilot=9, cores=11, launch=0.5, run=9.5)
    assert wait(first, 9, [first, second, other]) == Waits(pilot=9, cores=0, launch=1, run=10)
    late = task(4, [0], 25, 26, 27)
    assert wait(late, 9, [first, late]) == Waits(pilot=0, cores=0, launch=1, run=1)


def test_the_same_core_of_another_node_is_not_waited_for():
    mine, other = task(1, [0], 0, 20, 30), replace(task(2, [0], 0, 5, 19), nodes=("node-2",))
    assert wait(mine, 4, [mine, other]).cores == 0
    assert wait(mine, 4, [mine, replace(other, nodes=("node-1",))]).cores == 15


def test_a_pilot_that_never_came_up():
    found = breakdown(run_of([], {"starting": 1}, end=61))
    assert found.phases == {"workflow start": 1, "pilot start-up": 60}
    assert found.utilisation is None


def test_without_events_of_a_pilot_there_is_only_the_workflow():
    assert breakdown(run_of([], end=5)).phases == {"workflow start": 5}


def test_a_run_that_is_not_over(tmp_path):
    (run,) = read_runs(write_events(tmp_path))
    for state in ("closing", "closed"):
        del run.pilots[0][state]
    run.end = START + 100
    found = breakdown(run)
    assert "pilot close" not in found.phases
    assert sum(found.phases.values()) == pytest.approx(100)


times = st.floats(0, 1000, allow_nan=False).map(lambda t: round(t, 3))


@given(
    st.lists(st.tuples(times, times, times, st.sets(st.integers(0, 3), min_size=1)), max_size=12),
    st.lists(st.lists(times, min_size=4, max_size=4).map(sorted), max_size=3),
    st.data(),
)
def test_the_parts_add_up(rows, each, data):
    """With any number of pilots, each of which may have ended, or the run, before it told all of its states."""
    tasks = [task(i, sorted(cores), *sorted(three)) for i, (*three, cores) in enumerate(rows)]
    named = [dict(zip(STATES, sorted(four), strict=True)) for four in each]
    told = [dict(list(states.items())[: data.draw(st.integers(1, 4))]) for states in sorted(named, key=list_of_times)]
    end = max([0, *(time for states in told for time in states.values()), *(t.stop for t in tasks)])
    run = run_of(tasks, *told, end=end)
    found = breakdown(run)
    assert sum(found.phases.values()) == pytest.approx(end)
    assert all(seconds > 0 for seconds in found.phases.values())
    for one, parts in zip(tasks, waits(run), strict=True):
        assert min(parts.pilot, parts.cores, parts.launch, parts.run) >= 0
        assert parts.pilot + parts.cores + parts.launch + parts.run == pytest.approx(one.stop - one.submit)


def test_two_pilots_at_the_same_time():
    """A time in which one of them runs a task is no wait for the other; each counts with its own cores and nodes."""
    tasks = [replace(task(1, [0], 2, 12, 20), pilot="a"), replace(task(2, [0, 1], 13, 40, 50), pilot="b")]
    first = {"starting": 1, "active": 11, "closing": 30, "closed": 32}
    second = {"starting": 14, "active": 36, "closing": 56, "closed": 57}
    run = run_of(tasks, first, second, end=60)
    run.places = [PilotPlace("a", "cpu", 2, 4, 0), PilotPlace("b", "gpu", 1, 2, 2)]
    found = breakdown(run)
    assert found.phases == {
        "workflow start": 1,
        "pilot start-up": 10 + 6,  # of the second, what the first does not cover
        "tasks running": 8 + 10,
        "no task running": 1 + 10 + 4 + 6,
        "after the pilot": 3,
        "pilot close": 1,
    }
    assert found.utilisation == pytest.approx((8 + 2 * 10) / (4 * 19 + 2 * 20))
    assert waits(run) == [Waits(pilot=9, cores=0, launch=1, run=8), Waits(pilot=23, cores=0, launch=4, run=10)]
    assert node_hours(run) == pytest.approx((2 * 21 + 1 * 21) / 3600)


def list_of_times(states: dict[str, float]) -> list[float]:
    return list(states.values())


def test_two_pilots_one_after_the_other():
    """The first was lost: what ran in it is no workflow start, and the second's start-up no wait for cores."""
    tasks = [task(1, [0], 2, 12, 20), task(2, [0], 24, 35, 45)]
    first = {"starting": 1, "active": 11, "closing": 21, "closed": 22}
    second = {"starting": 23, "active": 34, "closing": 46, "closed": 47}
    run = run_of(tasks, first, second, end=47)
    found = breakdown(run)
    assert found.phases == {
        "workflow start": 1,
        "pilot start-up": 10 + 11,
        "tasks running": 8 + 10,
        "no task running": 2 + 2,
        "pilot close": 2,
        "between pilots": 1,
    }
    assert waits(run) == [Waits(pilot=9, cores=0, launch=1, run=8), Waits(pilot=10, cores=0, launch=1, run=10)]
    assert found.utilisation == pytest.approx(18 / (2 * 22))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8), st.integers(0, 40), st.integers(0, 40))
def test_covered_counts_each_second_once(spans, begin, end):
    seconds = {s for a, b in spans for s in range(a, b)} & set(range(begin, end))
    assert covered(spans, begin, end) == len(seconds)
