"""Every rank uses another accelerator, on a real Slurm with task/affinity and three kinds of gres.conf."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deeprc.launch import Layout, compose
from deeprc.launch.text import launch_line
from deeprc.sites import Site
from samples.sites import CLUSTER
from slurm_cluster import private_cluster

pytestmark = pytest.mark.requires("slurm")
NEAR = {"node2": ["0-1", "0-1"], "node3": ["0", "1"]}  # gres.conf of node1 says nothing of cores
NODES = ["node1", "node2", "node3"]
KINDS = ["no-cores", "all-near", "one-near-each"]
DEEPRC = Path(sys.executable).parent / "deeprc"
SHOW = ["bash", "-c", 'echo "$SLURM_LOCALID:$CUDA_VISIBLE_DEVICES"']


@pytest.fixture(scope="module")
def nodes():
    """A Slurm of three nodes, each of which has two cores and two made-up accelerators."""
    with private_cluster(nodes=3, cores=2, task="task/affinity", near=NEAR) as running:
        yield running


def seen(nodes, node: str, *, comm: str = "mpi", how: str | None = None, placed: bool = False, gpus: int = 2, ranks=2):
    """What each rank sees, in the order of the ranks."""
    binding = {"gpu_binding": {"how": how}} if how else {}
    part = {**CLUSTER["partitions"][0], "cores": 2, **binding}
    part["accelerator"] = {"vendor": "nvidia", "model": "made up", "count": gpus}
    site = Site.model_validate(
        {**CLUSTER, "launcher": {"name": "srun"}, "runtime": {"kind": "none"}, "partitions": [part]}
    )
    made = compose(site, site.partition(), Layout(ranks, 1, 1), SHOW, comm=comm, placed=placed)
    line = launch_line(made).replace("'--nodelist={hosts}'", f"--nodelist={node}")
    line = line.replace("srun ", f"srun --nodelist={node} ", 1)
    done = subprocess.run(
        ["salloc", "--quiet", "--nodes=1", "--ntasks=2", f"--nodelist={node}", "--gpus-per-node=2", "bash", "-c", line],
        env={**os.environ, **nodes.environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return [text.partition(":")[2] for text in sorted(done.stdout.split())]


@pytest.mark.parametrize("node", NODES, ids=KINDS)
def test_beside_mpi_each_rank_sees_one_of_its_own(nodes, node):
    assert sorted(seen(nodes, node)) == ["0", "1"]


@pytest.mark.parametrize("node", NODES, ids=KINDS)
def test_beside_nccl_each_sees_all_and_its_own_first(nodes, node):
    assert seen(nodes, node, comm="ccl") == ["0,1", "1,0"]


def test_in_a_pilot_a_step_has_its_share_only(nodes):
    assert seen(nodes, "node1", comm="ccl", placed=True) == ["0,1", "1,0"]
    assert sorted(seen(nodes, "node2", placed=True)) == ["0", "1"]


def test_why_closest_is_for_facilities_that_say_so(nodes):
    """All ranks would use the first one, unless one and no more is near to each."""
    assert [sorted(seen(nodes, node, how="closest")) for node in NODES] == [["0,1", "0,1"], ["0,1", "0,1"], ["0", "1"]]


def test_the_doctor_sees_who_shares(nodes, tmp_path):
    """On made-up accelerators, which have no UUID: by the variable."""
    found = {}
    for how in ("per_task", "closest"):
        part = {**CLUSTER["partitions"][0], "cores": 2, "nodes": 3, "gpu_binding": {"how": how}}
        part["accelerator"] = {"vendor": "intel", "model": "made up", "count": 2}
        facts = {**CLUSTER, "launcher": {"name": "srun"}, "runtime": {"kind": "none"}, "partitions": [part]}
        facts["identity"] = {"environment": {"SLURM_CONF": ".*"}}
        path = tmp_path / f"{how}.yaml"
        path.write_text(yaml.safe_dump(facts))
        done = subprocess.run(
            ["salloc", "--quiet", "--nodes=1", "--ntasks=2", "--nodelist=node1", "--gpus-per-node=2", DEEPRC, "doctor",
             "--site", path, "--checks", "gpus", "--json"],
            env={**os.environ, **nodes.environment}, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        found[how] = [(one["status"], one["text"]) for one in json.loads(done.stdout)["checks"]]
    right = ("ok", "2 ranks use 2 accelerators, each its own (ZE_AFFINITY_MASK), and see 1")
    assert found["per_task"][0] == right
    assert found["closest"][0][0] == "failed" and "use the same accelerator" in found["closest"][0][1]
