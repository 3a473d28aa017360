"""How many jobs there are: counted anew as a checkpoint adds some, in no more than a hundredth of the time."""

from __future__ import annotations

from types import SimpleNamespace

from snakemake_executor_plugin_radical_pilot.counting import JobCount


class Dag:
    """Jobs, and a clock that a look at each of them takes a while of."""

    def __init__(self, count: int, each: float) -> None:
        self.now, self.looks, self._each = 0.0, 0, each
        self.jobs = [SimpleNamespace(rule=SimpleNamespace(name="a"), output=[str(i)]) for i in range(count)]
        for job in self.jobs:
            job.dag, job.is_local = SimpleNamespace(workflow=SimpleNamespace(dryrun=False)), False

    def needrun_jobs(self, *, exclude_finished: bool) -> list:
        assert not exclude_finished
        self.looks += 1
        self.now += self._each * len(self.jobs)
        return self.jobs


def test_counting_16_000_jobs_takes_a_hundredth_of_the_time():
    """It had been a look at all of them every second: of 16,000 for as long as they end, n²."""
    dag = Dag(16_000, 5e-6)
    count = JobCount(dag, clock=lambda: dag.now)
    for _ in range(2000):
        assert count() == 16_000
        dag.now += 0.05
    assert 1 < dag.looks <= 1 + dag.now / (101 * 0.08)


def test_jobs_that_a_checkpoint_adds_are_counted_and_those_that_it_forgets_too():
    dag = Dag(10, 1e-6)
    count = JobCount(dag, clock=lambda: dag.now)
    assert count() == 10
    dag.jobs = Dag(15, 0).jobs[5:]
    dag.now += 1.1
    assert count() == 15
