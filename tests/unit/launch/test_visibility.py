"""What a rank sees of its node's accelerators: the script between launcher and container, run by a real bash."""

import os
import subprocess

import pytest
from pydantic import ValidationError

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from deeprc.launch.visibility import tell_ranks
from deeprc.sites import Accelerator
from samples.sites import cluster

MI250X = {"vendor": "amd", "model": "MI250X", "count": 8, "order": [4, 5, 2, 3, 6, 7, 0, 1]}


def seen(accelerator: dict, rank: int, each: int = 1, **more: bool) -> str:
    """What the rank finds in the variable; its arguments must come through as they are."""
    line = tell_ranks(Accelerator.model_validate(accelerator), Layout(8, 1, each), "SLURM_LOCALID", **more)
    show = ["python3", "-c", "import os, sys; print(os.environ['ROCR_VISIBLE_DEVICES'], sys.argv[1:])", "a b", "*"]
    env = {"PATH": os.environ["PATH"], "SLURM_LOCALID": str(rank)}
    done = subprocess.run([*line, *show], env=env, capture_output=True, text=True, check=True, timeout=30)
    value, _, arguments = done.stdout.strip().partition(" ")
    assert arguments == "['a b', '*']"
    return value


@pytest.mark.parametrize(
    ("accelerator", "each", "expected"),
    [
        (MI250X, 1, ["4", "5", "2", "3", "6", "7", "0", "1"]),
        (MI250X, 2, ["4,5", "2,3", "6,7", "0,1"]),
        ({**MI250X, "order": []}, 2, ["0,1", "2,3", "4,5", "6,7"]),
        ({**MI250X, "order": [], "reversed": True}, 1, ["7", "6", "5", "4", "3", "2", "1", "0"]),
    ],
)
def test_each_rank_has_its_own(accelerator, each, expected):
    assert [seen(accelerator, rank, each) for rank in range(len(expected))] == expected


@pytest.mark.parametrize("peers", [False, True])
@pytest.mark.parametrize("accelerator", [MI250X, {**MI250X, "order": []}])
@pytest.mark.parametrize("number", [None, "", "8", "11"])
def test_a_rank_without_a_number_on_its_node_does_not_take_the_first_one(accelerator, peers, number):
    line = tell_ranks(Accelerator.model_validate(accelerator), Layout(8, 1, 1), "PALS_LOCAL_RANKID", peers=peers)
    env = {"PATH": os.environ["PATH"]} | ({} if number is None else {"PALS_LOCAL_RANKID": number})
    done = subprocess.run([*line, "printenv", "ROCR_VISIBLE_DEVICES"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"deeprc: PALS_LOCAL_RANKID={number or ''}, of 8 ranks on a node\n"


def test_a_rank_alone_on_its_node_needs_no_number():
    line = tell_ranks(Accelerator.model_validate(MI250X), Layout(2, 1, 2, 2), "PALS_LOCAL_RANKID")
    done = subprocess.run([*line, "printenv", "ROCR_VISIBLE_DEVICES"], env={"PATH": os.environ["PATH"]},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "4,5\n"


def test_an_order_names_each_accelerator_once():
    with pytest.raises(ValueError, match="order must hold each of 0-7 once"):
        Accelerator.model_validate({**MI250X, "order": [0, 0, 1, 2, 3, 4, 5, 6]})


def test_a_variable_instead_of_the_launchers_own_binding():
    site = cluster(launcher={"name": "srun", "pmi": ["cray"], "gpus": "variable"})
    made = compose(site, site.partition(), Layout(8, 7, 1), ["run"])
    assert made.binding[:2] == ["bash", "-c"]
    assert {"--gpus-per-node=8", "--gpu-bind=none"} <= set(made.launcher)
    assert not any(word.startswith("--gpus-per-task") for word in made.launcher)
    plain = compose(site, site.partition(), Layout(8, 7), ["run"])
    assert plain.binding == []
    assert not any("gpu" in word for word in plain.launcher)


@pytest.mark.parametrize(
    ("accelerator", "each", "expected"),
    [
        ({"count": 4}, 1, ["0,1,2,3", "1,0,2,3", "2,0,1,3", "3,0,1,2"]),
        ({"count": 4, "reversed": True}, 1, ["3,2,1,0", "2,3,1,0", "1,3,2,0", "0,3,2,1"]),
        ({"count": 4}, 2, ["0,1,2,3", "2,3,0,1"]),
        ({"count": 4, "order": [2, 0, 3, 1]}, 1, ["2,0,3,1", "0,2,3,1", "3,2,0,1", "1,2,0,3"]),
    ],
)
def test_a_ranks_own_come_first_and_its_peers_after_them(accelerator, each, expected):
    made = {"vendor": "amd", "model": "MI", **accelerator}
    assert [seen(made, rank, each, peers=True) for rank in range(len(expected))] == expected


A100 = {"accelerator": {"vendor": "nvidia", "model": "A100", "count": 4}}
MI = {"accelerator": {"vendor": "amd", "model": "MI250X", "count": 8}}
CLOSEST = {"gpu_binding": {"how": "closest", "mark": "V", "source": "the facility"}}


@pytest.mark.parametrize(
    ("partition", "comm", "options", "sees"),
    [
        (A100, "mpi", ["--gpus-per-task=1", "--gpu-bind=per_task:1"], 1),
        (A100 | CLOSEST, "mpi", ["--gpus-per-task=1", "--gpu-bind=closest"], 1),
        (A100 | CLOSEST, "ccl", ["--gpus-per-node=4", "--gpu-bind=none"], 4),
        (A100, "both", ["--gpus-per-node=4", "--gpu-bind=none"], 4),
        (MI, "mpi", ["--gpus-per-task=1", "--gpu-bind=per_task:1"], 1),
        (MI, "ccl", ["--gpus-per-node=8", "--gpu-bind=none"], 1),  # control groups would keep RCCL from its peers
        (MI | CLOSEST, "ccl", ["--gpus-per-task=1", "--gpu-bind=closest"], 1),
    ],
)
def test_what_a_rank_sees(partition, comm, options, sees):
    site = cluster(partition=partition)
    made = compose(site, site.partition(), Layout(4, 1, 1), ["run"], comm=comm)
    assert [word for word in made.launcher if "gpu" in word] == options
    assert made.gpus_seen == made.record()["gpus_seen"] == sees
    assert bool(made.binding) == (options[1] == "--gpu-bind=none")


def test_without_slurm_nccl_sees_its_nodes_accelerators_too():
    site = cluster(partition=A100 | {"launcher": "mpirun-openmpi"})
    made = compose(site, site.partition(), Layout(4, 1, 1), ["run"], comm="ccl")
    assert (made.gpus_seen, "all=(0 1 2 3)" in made.binding[2]) == (4, True)
    summit = cluster(partition=A100 | {"launcher": "jsrun"})  # a resource set shows a rank its own, always
    made = compose(summit, summit.partition(), Layout(4, 1, 1), ["run"], comm="ccl")
    assert (made.gpus_seen, made.binding) == (1, [])


def sliced(comm, layout, *, model="a100_1g.5gb", image=None, placed=False, **parts):
    part = {"accelerator": {"vendor": "nvidia", "model": model, "count": 28}, **parts.pop("partition", {})}
    site = cluster(partition=part, mpi=[{"implementation": "openmpi", "version": "4.1", "family": "openmpi"}], **parts)
    chosen = image and load_catalog().image(image)
    return compose(site, site.partition(), layout, ["run"], comm=comm, image=chosen, placed=placed)


@pytest.mark.parametrize("comm", ["ccl", "both"])
@pytest.mark.parametrize("model", ["a100_1g.5gb", "NVIDIA A100-SXM4-40GB MIG 3g.20gb"])
@pytest.mark.parametrize("layout", [Layout(4, 1, 1), Layout(2, 1, 1, 2)])
def test_nccl_between_slices_is_refused(comm, model, layout):
    made = sliced(comm, layout, model=model)
    assert (made.verdict, made.argv) == ("refuse", [])
    assert made.reason == (
        f"the accelerators of partition gpu are slices (MIG, {model}), and NCCL does not connect them: "
        f"{layout.ranks} ranks cannot talk by it (comm: {comm})"
    )
    assert "--comm mpi" in made.fix
    assert not sliced(comm, Layout(1, 1, 1), model=model).refused
    assert not sliced(comm, Layout(4, 1), model=model).refused


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"launcher": {"name": "srun", "gpus": "variable"}},
        {"partition": {"gpu_binding": {"how": "closest", "mark": "V", "source": "the facility"}}},
        {"partition": {"gpu_binding": {"how": "variable", "mark": "V", "source": "the facility"}}},
    ],
)
def test_slurm_gives_each_rank_its_slice_and_nothing_numbers_them(parts):
    made = sliced("mpi", Layout(4, 1, 1), **parts)
    assert [word for word in made.launcher if "gpu" in word] == ["--gpus-per-task=1", "--gpu-bind=per_task:1"]
    assert (made.binding, made.gpus_seen) == ([], 1)


def test_slices_that_nobody_can_tell_ranks_are_refused():
    made = sliced("mpi", Layout(4, 1, 1), launcher={"name": "mpirun-openmpi"})
    assert made.reason.endswith("are slices (MIG, a100_1g.5gb): mpirun-openmpi cannot tell each rank its own")
    assert sliced("mpi", Layout(2, 1, 1, 2), launcher={"name": "mpirun-openmpi"}).binding == []
    assert sliced("mpi", Layout(1, 1, 1), launcher={"name": "mpirun-openmpi"}, placed=True).refused
    together = sliced("mpi", Layout(4, 1, 1), runtime={"kind": "podman-hpc"}, image="cuda12-openmpi-ucx")
    assert together.reason.endswith(": in one container, ranks of a node cannot be told their own")


def test_fewer_than_asked_for_is_an_error():
    line = tell_ranks(Accelerator.model_validate(MI250X), Layout(4, 1, 1), "SLURM_LOCALID", given=True)
    env = {"PATH": os.environ["PATH"], "SLURM_LOCALID": "1", "ROCR_VISIBLE_DEVICES": "5,6"}
    done = subprocess.run([*line, "true"], env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "deeprc: 4 accelerators were asked for, ROCR_VISIBLE_DEVICES=5,6\n"
    done = subprocess.run(
        [*line, "printenv", "ROCR_VISIBLE_DEVICES"], env=env | {"ROCR_VISIBLE_DEVICES": "5,6,7,1"}, capture_output=True,
        text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == "6\n"


def test_a_rank_uses_one_slice():
    made = sliced("mpi", Layout(2, 1, 2))
    assert (made.verdict, made.reason) == (
        "refuse",
        "the accelerators of partition gpu are slices (MIG, a100_1g.5gb): a process uses one slice, however many it is"
        " given, not 2",
    )
    assert sliced("mpi", Layout(1, 1, 2)).refused and not sliced("mpi", Layout(2, 1, 1)).refused


MAX = {"vendor": "intel", "model": "Data Center GPU Max 1550", "count": 4}
PALS = {"launcher": {"name": "mpiexec-pals", "pmi": ["pmix"]}}


@pytest.mark.parametrize(
    ("accelerator", "value"),
    [
        (MAX, "COMPOSITE"),
        ({**MAX, "unit": "card"}, "COMPOSITE"),
        ({**MAX, "unit": "tile", "count": 8}, "FLAT"),
        ({**MAX, "model": "Data Center GPU Max 1550 tile", "count": 8}, "FLAT"),
        ({**MAX, "model": "Max 1550 tile", "unit": "card"}, "COMPOSITE"),
        ({"vendor": "amd", "model": "MI250X", "count": 8}, None),
    ],
)
@pytest.mark.parametrize("launcher", [PALS, {}])
def test_what_the_numbers_of_intels_accelerators_mean_is_said(launcher, accelerator, value):
    """By ZE_FLAT_DEVICE_HIERARCHY, whose default depends on the driver: 0 is a card of two tiles, or its first tile."""
    site = cluster(**launcher, partition={"accelerator": accelerator})
    made = compose(site, site.partition(), Layout(4, 1, 1), ["run"])
    assert made.environment.get("ZE_FLAT_DEVICE_HIERARCHY") == value
    without = compose(site, site.partition(), Layout(4, 1), ["run"])
    assert "ZE_FLAT_DEVICE_HIERARCHY" not in without.environment


def test_a_setting_that_gives_the_numbers_another_meaning_is_refused():
    tiles = {"partition": {"accelerator": {**MAX, "unit": "tile", "count": 8}}}
    for value in ("FLAT", "COMBINED"):
        site = cluster(**PALS, **tiles, settings=[{"environment": {"ZE_FLAT_DEVICE_HIERARCHY": value}}])
        assert compose(site, site.partition(), Layout(4, 1, 1), []).environment["ZE_FLAT_DEVICE_HIERARCHY"] == value
    site = cluster(**PALS, **tiles, settings=[{"environment": {"ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE"}}])
    made = compose(site, site.partition(), Layout(4, 1, 1), [])
    assert made.refused and made.reason == (
        "ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE of the site's settings has ZE_AFFINITY_MASK number something else than"
        " tiles, of which partition gpu counts 8"
    )
    assert made.fix == "leave it out (FLAT is then set), or correct unit and count of the accelerator"
    assert not compose(site, site.partition(), Layout(4, 1), []).refused


def test_unit_is_a_fact_of_intels():
    with pytest.raises(ValidationError, match="unit is a fact of Intel's accelerators, not of amd's"):
        cluster(partition={"accelerator": {"vendor": "amd", "model": "x", "count": 8, "unit": "tile"}})
