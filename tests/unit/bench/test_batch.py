"""The stages of `deeprc bench batch`, the bound of their schedule, and what is refused before anything runs."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeprc.bench.batch import run
from deeprc.bench.batch.stages import BatchStage, bound, cases
from deeprc.core.errors import ConfigError


def test_cases_are_all_stages_and_those_of_each_number():
    found = cases([100, 2000], [1, 2, 4], 2)
    assert [*found] == ["all", "rows=100", "rows=2000", "ranks=1", "ranks=2", "ranks=4"]
    assert [len(stages) for stages in found.values()] == [24, 12, 12, 8, 8, 8]
    assert len({stage.name for stage in found["all"]}) == 24
    assert {stage.op for stage in found["ranks=4"]} == {"join", "sort"}
    assert found["all"][0].name == "join-100-1-0"
    assert [*cases([100, 2000], [1, 2, 4], 2, apart=False)] == ["all"]
    assert [*cases([100], [2], 1)] == ["all"]  # of one number alone there is nothing to compare


def test_the_bound_is_the_cores_or_the_longest_stage():
    stages = [BatchStage("join", 1, 2, 0), BatchStage("sort", 1, 1, 0)]
    assert bound(stages, {"join-1-2-0": 3.0, "sort-1-1-0": 2.0}, 2) == 4.0
    assert bound(stages, {"join-1-2-0": 1.0, "sort-1-1-0": 9.0}, 2) == 9.0


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(0.01, 100)), min_size=1, max_size=12), st.integers(4, 8))
def test_no_schedule_is_quicker_than_the_bound(wanted, cores):
    stages = [BatchStage("join", number, ranks, 0) for number, (ranks, _) in enumerate(wanted)]
    own = {stage.name: seconds for stage, (_, seconds) in zip(stages, wanted, strict=True)}
    free, ends, clock = cores, [], 0.0
    for stage in stages:  # one after the other, each as soon as it has its cores
        while free < stage.ranks:
            clock, ranks = heapq.heappop(ends)
            free += ranks
        free -= stage.ranks
        heapq.heappush(ends, (clock + own[stage.name], stage.ranks))
    assert bound(stages, own, cores) <= max(end for end, _ in ends) * (1 + 1e-9)


def test_another_batch_system_is_refused():
    with pytest.raises(ConfigError, match="compared on Slurm alone"):
        run.run("localhost", None, None, [100], [1], 1, 1, print)
