"""Which jobs Snakemake hands over: those that it would choose itself."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.scheduling.greedy import Scheduler, SchedulerSettings
from snakemake.scheduling.milp import Scheduler as Ilp

from snakemake_executor_plugin_radical_pilot import picking

OWN = getattr(Scheduler.select_jobs, "instead_of", Scheduler.select_jobs)


class File(str):
    """An input, as far as a scheduler looks at it."""

    def is_flagged(self, flag: str) -> bool:
        return self.startswith(flag)


def greedy(**settings) -> Scheduler:
    return Scheduler(None, SchedulerSettings(**settings), None)


def made(name: int, priority=0, cores=1, memory=0, files=()):
    needs = {"_cores": cores, "_nodes": 1, "mem_mb": memory}
    return SimpleNamespace(name=name, priority=priority, scheduler_resources=needs, input=[File(f) for f in files])


files = st.lists(st.sampled_from(["a", "b", "temp"]), max_size=2)
jobs = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 4), st.sampled_from([0, 5, 9]), files), max_size=12)
free = st.fixed_dictionaries({"_cores": st.integers(0, 20), "_nodes": st.integers(0, 14), "mem_mb": st.integers(0, 40)})


@given(jobs, free)
def test_the_greedy_scheduler_chooses_the_same(wanted, available):
    there = [made(number, *each) for number, each in enumerate(wanted)]
    sizes = {"a": 3, "b": None, "temp": 7}
    own = OWN(greedy(), there, there, available, sizes) if there else []
    assert picking.chosen_of(greedy(), there, available, sizes) == own


def test_all_are_chosen_where_there_is_room_for_all():
    there, available = [made(number) for number in range(3)], {"_cores": sys.maxsize, "_nodes": 3, "mem_mb": 0}
    ilp = Ilp.__new__(Ilp)
    assert picking.chosen_of(ilp, there, available, {}) == there
    assert picking.chosen_of(ilp, there, {**available, "_nodes": 2}, {}) is None  # it has to be asked
    assert picking.chosen_of(greedy(greediness=0.5), there, {**available, "_nodes": 2}, {}) is None


class Looked(SimpleNamespace):
    """A job that counts how often anything of it is asked for."""

    looks = 0

    def __getattribute__(self, name):
        Looked.looks += 1
        return super().__getattribute__(name)


def test_ten_times_as_many_jobs_are_looked_at_ten_times_as_often():
    looks = {}
    for count in (100, 1000):
        there, Looked.looks = [Looked(**vars(made(number))) for number in range(count)], 0
        found = picking.chosen_of(greedy(), there, {"_cores": sys.maxsize, "_nodes": count - 1, "mem_mb": 9}, {})
        looks[count] = Looked.looks
        assert all(one is other for one, other in zip(found, there[:-1], strict=True))
    assert 0 < looks[1000] < 12 * looks[100]  # 100 times, were each compared with each


@pytest.mark.parametrize(
    ("limit", "told", "profile", "lifted"),
    [
        ((100, 1), (), "cores: 1", True),
        ((100, 1), ("--max-jobs-per-timespan=100/1s",), "cores: 1", False),
        ((100, 1), (), "max-jobs-per-timespan: 100/1s", False),
        ((100, 1), (), "max-jobs-per-second: 100", False),
        ((50, 1), (), "cores: 1", False),
    ],
)
def test_only_snakemakes_own_limit_of_jobs_in_a_second_is_lifted(monkeypatch, tmp_path, limit, told, profile, lifted):
    (tmp_path / "config.yaml").write_text(f"{profile}\n")
    monkeypatch.setattr(sys, "argv", ["snakemake", "--profile", str(tmp_path), *told])
    rate, released = SimpleNamespace(max_jobs=limit[0], timespan=limit[1]), []
    scheduler = SimpleNamespace(
        job_rate_limiter=rate,
        resources={"_job_count": 3},
        _open_jobs=SimpleNamespace(release=lambda: released.append(1)),
    )
    picking.lift_rate(SimpleNamespace(scheduler=scheduler))
    assert scheduler.job_rate_limiter is (None if lifted else rate)
    assert scheduler.resources["_job_count"] == (sys.maxsize if lifted else 3)
    assert released == [1] * lifted
