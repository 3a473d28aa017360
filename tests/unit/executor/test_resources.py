import pytest
from snakemake.iocontainers import ResourceList

from snakemake_executor_plugin_radical_pilot.resources import (
    PlacementError,
    Request,
    check,
    check_models,
    request,
    without_effect,
)


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
        ({"gpu": "2"}, 1, Request(1, 1, 2)),
        ({"gpu": "a100:2"}, 1, Request(1, 1, 2, models=("a100",))),
        ({"gpu": 2, "gpu_model": "h100"}, 1, Request(1, 1, 2, models=("h100",))),
        ({"gpus_per_task": "mi250x:1", "tasks": 2}, 1, Request(2, 1, 1, models=("mi250x",))),
        ({"gres": "gpu:2"}, 1, Request(1, 1, 2)),
        ({"gres": "gpu:a100:4", "nodes": 2, "tasks_per_node": 4}, 1, Request(8, 1, 1, nodes=2, models=("a100",))),
        ({"gres": 0, "slurm_extra": "", "constraint": 0, "exclusive": False}, 1, Request()),
        ({"runtime": "90", "tasks": " 2 "}, 1, Request(2, minutes=90)),
    ],
)
def test_request(resources, threads, expected):
    assert request("r", ResourceList(fromdict=resources), threads) == expected


def test_accelerators_that_cannot_be_shared_evenly():
    with pytest.raises(PlacementError, match="rule r: 3 accelerators cannot be shared evenly by 2 ranks"):
        request("r", {"gpu": 3, "tasks": 2}, 1)


@pytest.mark.parametrize(
    ("resources", "found", "expected"),
    [
        ({"gpu": "two"}, "gpu=two", "a whole number"),
        ({"gpu": "a100"}, "gpu=a100", "a whole number"),
        ({"gres": "gpu"}, "gres=gpu", "gpu:2 or gpu:a100:2"),
        ({"gres": "2"}, "gres=2", "gpu:2 or gpu:a100:2"),
        ({"gres": "gpu:1,shard:2"}, "gres=gpu:1,shard:2", "gpu:2 or gpu:a100:2"),
        ({"tasks": "four"}, "tasks=four", "a whole number"),
        ({"mem_mb": "3GB"}, "mem_mb=3GB", "a whole number"),
        ({"mem_mb_per_cpu": "2GB"}, "mem_mb_per_cpu=2GB", "a whole number"),
        ({"cpus_per_task": True}, "cpus_per_task=True", "a whole number"),
        ({"runtime": "soon"}, "runtime=soon", "a whole number"),
    ],
)
def test_what_is_not_understood_is_refused_with_rule_and_value(resources, found, expected):
    (name,) = resources
    with pytest.raises(PlacementError) as error:
        request("r", ResourceList(fromdict=resources), 1)
    assert str(error.value) == (
        f"rule r: the resource {name} is not understood\n  found: {found}\n  expected: {expected}\n"
        f"  fix: mend it in the rule, or for this run by --set-resources r:{name}=…"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("slurm_extra", "'--gres=gpu:1 --exclusive'"), ("constraint", "a100&ib"), ("exclusive", True)]
)
def test_what_a_pilot_cannot_give_is_refused_with_rule_and_value(name, value):
    with pytest.raises(PlacementError, match=f"rule r: the resource {name} cannot be had within a pilot") as error:
        request("r", ResourceList(fromdict={name: value}), 1)
    assert error.value.found == f"{name}={value}"
    assert f"--set-resources r:{name}=0" in error.value.fix


def test_numbers_that_snakemake_has_rounded_are_taken_as_they_stand_in_the_rule():
    asked = ResourceList(fromdict={"runtime": 0, "gpu": 0})
    assert request("r", asked, 1, {"runtime": 0.5}) == Request(minutes=0.5)
    with pytest.raises(PlacementError) as error:
        request("r", asked, 1, {"gpu": 0.5})
    assert error.value.found == "gpu=0.5"


def test_a_model_of_accelerators_is_the_pilots_or_refused():
    asked = Request(1, 1, 2, models=("a100",))
    check_models("r", asked, "NVIDIA A100-SXM4-40GB")
    check_models("r", Request(models=("a100",)), None)  # no accelerators are asked for
    check_models("r", Request(1, 1, 2, models=("nvidia_a100",)), "A100 40GB")
    for there in ("NVIDIA H100", "A1000", None):
        with pytest.raises(PlacementError, match="rule r asks for accelerators of another model") as error:
            check_models("r", asked, there)
        assert (error.value.found, error.value.expected) == ("a100", there)


def test_what_ranks_talk_through_is_one_of_three():
    with pytest.raises(PlacementError, match="rule r: unknown comm") as error:
        request("r", {"comm": "nccl", "tasks": 2}, 1)
    assert error.value.expected == "one of mpi, ccl, both"


def test_several_ranks_can_be_warm():
    assert request("r", {"warm": "mpi4py.MPI, numpy", "tasks": 2}, 1).warm == ("mpi4py.MPI", "numpy")


def test_what_only_the_pilot_can_have_is_named():
    """Of Snakemake's own kind of resources, whose `in` looks at the values."""
    asked = ResourceList(
        fromdict={"qos": "debug", "tasks": 2, "slurm_account": "me", "clusters": None, "x": "slurm_partition"}
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


def test_a_group_that_is_too_large_is_told_the_option_that_bounds_groups():
    with pytest.raises(PlacementError, match="rule group g asks for 8 cores, the pilot has 2") as error:
        check("group g", Request(1, 8), cores=2, gpus=0, memory_mb=1000, minutes=60)
    assert error.value.fix.startswith("ask for less (--cores 2), or")


def test_all_that_the_pilot_has_is_allowed():
    check("r", Request(56, 1, 0, 1000), cores=56, gpus=0, memory_mb=1000, minutes=60)
