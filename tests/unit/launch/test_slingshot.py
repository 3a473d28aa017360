"""What a task needs of Slingshot beside its variables."""

import pytest

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from samples.sites import cluster

OPENMPI = [{"implementation": "openmpi", "version": "5.0", "family": "openmpi", "bindable": False, "pmi": ["pmix"]}]
VNI = "--network=single_node_vni"


def plan(image=None, nodes=1, ranks=4, **parts):
    site = cluster(**parts)
    chosen = load_catalog().image(image) if image else None
    return compose(site, site.partition(), Layout(ranks, 1, 0, nodes), ["run"], image=chosen)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"mpi": OPENMPI}, True),  # the host's own
        ({"mpi": OPENMPI, "image": "cpu"}, True),
        ({"image": "cpu"}, True),  # an MPI of the image's, over libfabric
        ({"image": "rocm6-mpich-ofi"}, False),  # Cray MPICH, bound in
        ({}, False),
        ({"mpi": OPENMPI, "nodes": 2}, False),
        ({"mpi": OPENMPI, "ranks": 1}, False),
        ({"mpi": OPENMPI, "launcher": {"name": "mpirun-openmpi"}}, False),
        ({"mpi": OPENMPI, "interconnect": {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}}, False),
    ],
)
def test_a_step_of_one_node_asks_for_a_vni(asked, wanted):
    assert (VNI in plan(**asked).launcher) == wanted


@pytest.mark.parametrize("spelt", [["--network=job_vni,x"], ["--network", "job_vni,x"], ["--network job_vni,x"]])
@pytest.mark.parametrize("where", ["launcher", "setting"])
def test_srun_takes_one_option_for_all_of_the_network(spelt, where):
    parts = {"launcher": {"launcher": {"name": "srun", "pmi": ["pmix"], "options": [*spelt, "-v"]}},
             "setting": {"settings": [{"launcher_options": [*spelt, "-v"]}]}}  # fmt: skip
    assert plan(mpi=OPENMPI, **parts[where]).launcher[-2:] == ["-v", "--network=job_vni,x,single_node_vni"]


def test_mpirun_on_slingshot_is_told():
    found = plan(mpi=OPENMPI, launcher={"name": "mpirun-openmpi"}, nodes=2, ranks=4).warnings
    assert found == ["mpirun gets its ranks no VNI, so that Slingshot may refuse them (openpmix/prrte#2004): srun does"]
    assert plan(mpi=OPENMPI, nodes=2, ranks=4).warnings == []
