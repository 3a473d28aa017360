"""Where the wall clock went, core by core: by hand, and that the parts always add up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeprc.core.events import JobEvent, PullEvent, WorkerEvent
from deeprc.reporting.breakdown import STATES
from deeprc.reporting.events import Execution, PilotPlace, Run, _task
from deeprc.reporting.parts import parts
from profiles import examples
from samples.results import job


def task(number, stage, cores, submit, start, stop, **more) -> Execution:
    made = _task("r", JobEvent(**job(number, f"forecasting_{stage}", {}, "x", 1, cores, submit, start, stop)))
    return replace(made, **more)


def worker(core, asked, began, ready, **more) -> WorkerEvent:
    return WorkerEvent(time=ready, name="w", asked=asked, began=began, cores=[core], nodes=["node-1"], **more)


def run_of(tasks, *pilots, end, cores=2, **more) -> Run:
    return Run(id="r", begin=0, end=end, site="s", host="h", cores=cores, pilots=list(pilots), tasks=tasks, **more)


PILOT = {"starting": 1, "waiting": 4, "active": 6, "closing": 26, "closed": 28}


def test_a_run_by_hand():
    tasks = [
        task(1, "prepare", [0], 2, 7, 11, spent={"import": 1.0}),
        task(2, "train", [1], 6, 10, 20, spent={"checkpoint": 2.0}),
        task(3, "evaluate", [0], 20.5, 21, 25),
    ]
    found = parts(run_of(tasks, PILOT, end=30, workers=[worker(1, 6, 7, 10)]))
    assert found == {
        "workflow start": 1,
        "queue": 3,
        "pilot start": 2,
        "launch": (1 + 0.5 + 1) / 2,
        "import": (1 + 3) / 2,
        "data preparation": 3 / 2,
        "compute": (8 + 4) / 2,
        "checkpoint": 2 / 2,
        "idle cores": (9.5 + 1 + 6) / 2,
        "pilot close": 2,
        "after the pilot": 2,
    }
    assert list(found) == sorted(found, key=[*found].index)


def test_imports_before_the_first_job_are_no_idle_cores_and_no_launch():
    """A worker that imports for a job to come, and one whose job has waited for it from the start."""
    found = parts(run_of([task(1, "train", [0], 2, 14, 26)], PILOT, end=28, workers=[worker(0, 6, 8, 14),
                                                                                    worker(1, 6, 6, 26)]))  # fmt: skip
    assert found == {"workflow start": 1, "queue": 3, "pilot start": 2, "launch": 1, "import": 3 + 10, "compute": 6,
                     "pilot close": 2}  # fmt: skip


def test_all_cores_wait_for_an_image_that_is_pulled():
    found = parts(run_of([task(1, "train", [0], 2, 16, 26)], PILOT, end=28, pulls=[PullEvent(time=15, image="cpu",
                                                                                             began=7)]))  # fmt: skip
    assert (found["image pull"], found["launch"], found["compute"], found["idle cores"]) == (8, 1, 5, 6)
    assert sum(found.values()) == pytest.approx(28)


def test_what_a_failed_attempt_took_is_lost():
    lost = task(1, "train", [0], 2, 6, 16, failed=True, spent={"import": 1.0})
    found = parts(run_of([lost, task(1, "train", [0], 16, 16, 26, attempt=2)], PILOT, end=28, cores=1))
    assert (found["failed attempts"], found["compute"]) == (10, 10)
    assert "idle cores" not in found


def test_pilots_that_follow_each_other_and_none_at_all():
    second = {"starting": 30, "active": 32, "closing": 34, "closed": 34}
    found = parts(run_of([], PILOT, second, end=34))
    assert found == {"workflow start": 1, "queue": 3, "pilot start": 2 + 2, "pilot close": 2, "between pilots": 2,
                     "idle cores": 20 + 2}  # fmt: skip
    assert parts(run_of([], end=5)) == {"workflow start": 5}
    assert parts(run_of([], end=0)) == {}


def test_two_pilots_at_once_count_by_their_cores():
    run = run_of([task(1, "train", [0], 0, 0, 10, pilot="a")], {"starting": 0, "active": 0},
                 {"starting": 0, "active": 5}, end=10)  # fmt: skip
    run.places = [PilotPlace("a", "", 1, 1, 0), PilotPlace("b", "", 1, 3, 0)]
    assert parts(run) == pytest.approx({"compute": 10 / 4, "pilot start": 5 * 3 / 4, "idle cores": 5 * 3 / 4})


times = st.integers(0, 4000).map(lambda t: t / 4)
several = st.sets(st.integers(0, 3), min_size=1)


@settings(max_examples=examples(200))
@given(
    st.lists(st.tuples(times, times, times, several, st.sampled_from(["prepare", "train"]), times), max_size=10),
    st.lists(st.tuples(times, times, times, st.integers(0, 4)), max_size=4),
    st.lists(st.lists(times, min_size=4, max_size=4).map(sorted), max_size=3),
    st.booleans(),
)
def test_the_parts_add_up(rows, workers, each, failed):
    tasks = [
        task(i, stage, sorted(cores), *sorted(three), failed=failed and i == 0, spent={"import": min(spent, 1)})
        for i, (*three, cores, stage, spent) in enumerate(rows)
    ]
    tasks = [replace(one, spent={"import": min(one.spent["import"], one.seconds)}) for one in tasks]
    came = [worker(core, *sorted(three)) for *three, core in workers]
    told = [dict(zip(STATES, four, strict=True)) for four in sorted(each)]
    end = max([0, *(t for states in told for t in states.values()), *(t.stop for t in tasks), *(w.time for w in came)])
    found = parts(run_of(tasks, *told, end=end, workers=came))
    assert sum(found.values()) == pytest.approx(end)
    assert all(seconds > 0 for seconds in found.values())
