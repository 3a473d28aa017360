"""Sites of one partition, as Spack looks at them."""

from __future__ import annotations

from deeprc.images.catalog import load_catalog
from deeprc.sites import Site
from deeprc.spack.tree import spack_folder
from samples.sites import PLAIN

CATALOG, TREE = load_catalog(), spack_folder()
FACTS = {
    "cray-mpich": {"implementation": "cray-mpich", "family": "mpich"},
    "openmpi": {"implementation": "openmpi", "family": "openmpi"},
}
SLINGSHOT = {"fabric": "slingshot", "description": "Slingshot-11", "provider": "cxi"}
INFINIBAND = {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}


def site(mpi: dict, *, net: dict = INFINIBAND, modules: list[str] = (), **partition) -> Site:
    """A site with one partition."""
    part = {"name": "main", "architecture": "x86_64", "cores": 64} | partition
    return Site.model_validate(
        PLAIN
        | {
            "name": "example",
            "scheduler": {"name": "slurm"},
            "launcher": {"name": "srun"},
            "interconnect": net,
            "mpi": [mpi],
            "runtime": {"kind": "apptainer"},
            "modules": list(modules),
            "partitions": [part],
        }
    )


NVIDIA = {"vendor": "nvidia", "model": "A100", "arch": "sm_80", "count": 4}
CRAY = FACTS["cray-mpich"] | {"version": "8.1.32", "modules": ["cray-mpich/8.1.32"]}
