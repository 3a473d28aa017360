"""What jobs to come will want of a pilot, from the graph of jobs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.pilot.foresight import Expected
from deeprc.pilot.tasks import Shape
from snakemake_executor_plugin_radical_pilot import fleet, foreseeing, internals

TORCH, FLOW, INSIDE = (Shape(1, warm=(name,), contained=name == "inside") for name in ("torch", "tensorflow", "inside"))


class Job:
    def __init__(self, shape: Shape | None = None, *, local: bool = False, group: str | None = None) -> None:
        self.shape, self.is_local = shape, local
        self.rule = SimpleNamespace(resources={} if shape is None else {"warm": ""}, group=group)
        self.dag = SimpleNamespace(workflow=SimpleNamespace(dryrun=False))


class Dag:
    def __init__(self, jobs: dict[Job, list[Job]], done: tuple[Job, ...] = ()) -> None:
        self.dependencies, self._done = jobs, done

    def needrun_jobs(self):
        return (job for job in self.dependencies if job not in self._done)


def test_the_soonest_come_first_and_of_these_the_fewest():
    prepare, models, hydrology, image = Job(), [Job(TORCH) for _ in range(3)], Job(FLOW), Job(INSIDE)
    predicts = [Job(TORCH), Job(TORCH, local=True), Job(TORCH, group="g")]
    trainings = {job: [prepare] for job in [*models, hydrology]}
    dag = Dag({image: [predicts[0]], **dict.fromkeys(predicts, models), **trainings, prepare: []})
    found = foreseeing.expected(dag, lambda job: job.shape, "/run/environment")
    assert [*found.items()] == [
        (FLOW, Expected(1, 1, "/run/environment")),
        (TORCH, Expected(4, 3, "/run/environment")),
        (INSIDE, Expected(1, 1, None)),
    ]


def test_what_is_not_known_yet_or_will_fail_is_left_out():
    first, other = Job(TORCH), Job(TORCH)

    def shape(job: Job) -> Shape:
        if job is first:
            raise ValueError("a file that is not there yet")
        return job.shape

    assert foreseeing.expected(Dag({first: [], other: []}), shape, "e") == {TORCH: Expected(1, 1, "e")}
    assert foreseeing.expected(Dag({first: [other], other: []}), lambda job: None, "e") == {}


def test_of_very_many_jobs_some_are_looked_at(monkeypatch):
    monkeypatch.setattr(foreseeing, "MOST", 5)
    jobs = {Job(TORCH): [] for _ in range(20)}
    assert foreseeing.expected(Dag(jobs), lambda job: job.shape, "e") == {TORCH: Expected(5, 5, "e")}


@given(st.lists(st.sets(st.integers(0, 11)), max_size=12), st.integers(0, 3))
def test_jobs_of_one_distance_do_not_wait_for_each_other(needs, finished):
    jobs = [Job() for _ in needs]
    dag = Dag({job: [jobs[each] for each in need if each < number] for number, (job, need) in
               enumerate(zip(jobs, needs, strict=True))}, tuple(jobs[:finished]))  # fmt: skip
    levels = foreseeing.levels(dag)
    at = {job: depth for depth, level in enumerate(levels) for job in level}
    assert at.keys() == set(jobs[finished:])
    for job, depth in at.items():
        assert depth == max((1 + at[other] for other in dag.dependencies[job] if other in at), default=0)


@pytest.mark.parametrize("most", [1, 2])
def test_of_several_shapes_a_job_is_foreseen_where_it_goes_or_nowhere(most, monkeypatch):
    """Of several pilots of a shape it goes to whichever has room first."""
    made = [SimpleNamespace(shape=SimpleNamespace(most=most), asking=SimpleNamespace(takes=lambda job: False))
            for _ in range(2)]  # fmt: skip
    monkeypatch.setattr(fleet, "kinds", lambda run, writer, numbers: made)
    monkeypatch.setattr(fleet, "require_nodes", lambda there: None)
    monkeypatch.setattr(fleet, "Routes", lambda there: SimpleNamespace(check=lambda jobs: None, kind=there.__getitem__))
    monkeypatch.setattr(internals, "jobs_to_run", lambda dag: [])
    fleet.Fleet(SimpleNamespace(dag=None), None)
    assert [[kind.asking.takes(job) for kind in made] for job in (0, 1)] == [
        [most == 1, False], [False, most == 1],
    ]  # fmt: skip
