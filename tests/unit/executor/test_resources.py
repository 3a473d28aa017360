import pytest
from snakemake.iocontainers import ResourceList

from snakemake_executor_plugin_radical_pilot.resources import PlacementError, Request, check, request, without_effect


@pytest.mark.parametrize(
    ("resources", "threads", "expected"),
    [
        ({}, 1, Request()),
        ({}, 4, Request(1, 4)),
        ({"tasks": 8}, 2, Request(8, 2)),
        ({"nodes": 2, "tasks_per_node": 28}, 1, Request(56, 1, nodes=2)),
        ({"tasks": 4, "nodes": 2, "tasks_per_node": 28}, 1, Request(4, 1, nodes=2)),
        ({"tasks": 4, "cpus_per_task": 7}, 1, Request(4, 7)),
        ({"gpu": 4, "tasks": 4}, 1, Request(4, 1, 1)),
        ({"gpus": 8, "tasks": 4}, 1, Request(4, 1, 2)),
        ({"gpus_per_task": 2, "tasks": 4}, 1, Request(4, 1, 2)),
        ({"mem_mb": 2000}, 1, Request(memory_mb=2000)),
        ({"mem_mb_per_cpu": 100, "tasks": 2}, 3, Request(2, 3, 0, 600)),
        ({"mem_mb": "<TBD>"}, 1, Request()),
        ({"runtime": 90}, 1, Request(minutes=90)),
        ({"nodes": 3}, 1, Request(3, nodes=3)),
        ({"comm": "ccl", "tasks": 2}, 1, Request(2, comm="ccl")),
        ({"comm": "<TBD>"}, 1, Request()),
        ({"warm": "torch, polars"}, 1, Request(warm=("torch", "polars"))),
    ],
)
def test_request(resources, threads, expected):
    assert request("r", ResourceList(fromdict=resources), threads) == expected


def test_accelerators_that_cannot_be_shared_evenly():
    with pytest.raises(PlacementError, match="rule r: 3 accelerators cannot be shared evenly by 2 ranks"):
        request("r", {"gpu": 3, "tasks": 2}, 1)


def test_what_ranks_talk_through_is_one_of_three():
    with pytest.raises(PlacementError, match="rule r: unknown comm") as error:
        request("r", {"comm": "nccl", "tasks": 2}, 1)
    assert error.value.expected == "one of mpi, ccl, both"


def test_only_one_rank_can_be_warm():
    with pytest.raises(PlacementError, match="rule r: only a job of one rank can be warm"):
        request("r", {"warm": "torch", "tasks": 2}, 1)


def test_what_only_the_pilot_can_have_is_named():
    """Of Snakemake's own kind of resources, whose `in` looks at the values."""
    asked = ResourceList(
        fromdict={"qos": "debug", "tasks": 2, "slurm_account": "me", "constraint": None, "x": "gpu_model"}
    )
    assert without_effect(asked) == ["slurm_account=me", "qos=debug"]


def test_a_negative_request_is_refused():
    with pytest.raises(PlacementError, match="rule r: the resource tasks is negative"):
        request("r", {"tasks": -1}, 1)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Request(9, 8), "rule r asks for 72 cores, the pilot has 56\n  found: 9 ranks x 8 cores"),
        (Request(2, 1, 4), "rule r asks for 8 accelerators, the pilot has 4\n  found: 2 ranks x 4"),
        (Request(minutes=90), "rule r asks for 90 minutes, the pilot has 60\n  found: runtime = 90"),
        (Request(memory_mb=2000), "rule r asks for 2000 MB of memory, the pilot has 1000\n  found: 2000 MB"),
    ],
)
def test_more_than_the_pilot_has(asked, expected):
    with pytest.raises(PlacementError) as error:
        check("r", asked, cores=56, gpus=4, memory_mb=1000, minutes=60)
    assert str(error.value).startswith(expected)


def test_all_that_the_pilot_has_is_allowed():
    check("r", Request(56, 1, 0, 1000), cores=56, gpus=0, memory_mb=1000, minutes=60)
