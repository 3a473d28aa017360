"""A Slurm for all tests of this folder, and a site file for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slurm_cluster import Cluster, private_cluster

SITE = """\
name: here-slurm
description: A Slurm of two made-up nodes on this machine
contact: the tests
url: none
identity: {{environment: {{SLURM_CONF: '{conf}'}}}}
scheduler: {{name: slurm, options: [--comment=tried]}}
launcher: {{name: srun, pmi: [pmi2]}}
interconnect: {{fabric: ethernet, description: loopback, provider: tcp}}
mpi: [{{implementation: mpich, version: "5.0", family: mpich, pmi: [pmi2]}}]
runtime: {{kind: none}}
partitions:
  - name: debug
    nodes: {nodes}
    architecture: detect
    cores: {cores}
    memory_mb: 4000
    scheduler_options: ["--partition={{queue}}", "--nodes={{nodes}}", "--ntasks-per-node={{ranks_per_node}}"]
    accelerator: {{vendor: nvidia, model: made up, count: {gpus}}}
  - name: reserved
    queue: debug
    nodes: {nodes}
    architecture: detect
    cores: {cores}
    reserved_cores: [0]
  - name: closed
    queue: nowhere
    nodes: {nodes}
    architecture: detect
    cores: {cores}
    scheduler_options: ["--partition={{queue}}", "--nodes={{nodes}}"]
"""


@pytest.fixture(scope="session")
def cluster():
    """The Slurm."""
    with private_cluster(urgent=True) as running:
        yield running


@pytest.fixture(scope="session")
def site(cluster: Cluster, tmp_path_factory) -> Path:
    """The path of its site file."""
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    conf = cluster.environment["SLURM_CONF"]
    path.write_text(
        SITE.format(conf=conf, nodes=cluster.shape.nodes, cores=cluster.shape.cores, gpus=cluster.shape.gpus)
    )
    return path


@pytest.fixture(scope="session")
def hydra_site(site: Path, tmp_path_factory) -> Path:
    """The same cluster, whose ranks MPICH's own launcher starts."""
    path = tmp_path_factory.mktemp("hydra") / "site.yaml"
    launcher = "launcher: {name: mpiexec-hydra, pmi: [pmi1]}"
    path.write_text(re.sub(r"launcher: .*", launcher, site.read_text()).replace("pmi: [pmi2]}]", "pmi: [pmi1]}]"))
    return path
