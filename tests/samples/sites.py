"""Made-up sites."""

from __future__ import annotations

from deeprc.sites import Site

PLAIN = {
    "name": "plain",
    "description": "a made-up site",
    "contact": "nobody",
    "url": "docs/sites.md",
    "scheduler": {"name": "fork"},
    "launcher": {"name": "mpiexec-hydra"},
    "interconnect": {"fabric": "shared-memory", "description": "memory", "provider": "shm"},
    "mpi": [{"implementation": "mpich", "version": "5.0", "family": "mpich"}],
    "runtime": {"kind": "none"},
    "partitions": [{"name": "local", "architecture": "x86_64", "cores": 2}],
}

LAPTOP = {
    **PLAIN,
    "name": "laptop",
    "description": "A laptop",
    "scheduler": {"name": "fork"},
    "launcher": {"name": "mpiexec-hydra", "pmi": ["pmi1"]},
    "interconnect": {"fabric": "shared-memory", "description": "shared memory", "provider": "shm"},
    "mpi": [{"implementation": "mpich", "version": "5.0", "family": "mpich", "standard_abi": True, "pmi": ["pmi1"]}],
    "runtime": {"kind": "none"},
    "partitions": [
        {
            "name": "local",
            "architecture": "x86_64",
            "cores": 6,
            "memory_mb": 9000,
            "accelerator": {"vendor": "nvidia", "model": "A30", "count": 1},
        }
    ],
}


def laptop() -> Site:
    """One node without a scheduler or containers, six cores and a GPU."""
    return Site.model_validate(LAPTOP)


CLUSTER = {
    **PLAIN,
    "name": "cluster",
    "description": "A cluster",
    "scheduler": {"name": "slurm"},
    "launcher": {"name": "srun", "pmi": ["cray", "pmi2", "pmix"], "default_pmi": "cray"},
    "interconnect": {"fabric": "slingshot", "description": "Slingshot-11", "provider": "cxi"},
    "mpi": [
        {
            "implementation": "cray-mpich",
            "version": "8.1",
            "abi_version": "3.4",
            "family": "mpich",
            "library": "/opt/mpi",
        }
    ],
    "runtime": {"kind": "apptainer"},
    "partitions": [
        {
            "name": "gpu",
            "nodes": 100,
            "architecture": "x86_64",
            "cores": 64,
            "accelerator": {"vendor": "amd", "model": "MI250X", "arch": "gfx90a", "count": 8},
        }
    ],
}


def cluster(*, partition: dict | None = None, **parts: object) -> Site:
    """A Slurm cluster with Slingshot, Cray MPICH and Apptainer; keys of it, or of its partition, may be replaced."""
    merged = {**CLUSTER["partitions"][0], **(partition or {})}
    return Site.model_validate({**CLUSTER, "partitions": [merged], **parts})
