"""Made-up sites."""

from __future__ import annotations

from deeprc.sites import Site

LAPTOP = {
    "name": "laptop",
    "description": "A laptop",
    "contact": "me",
    "url": "none",
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
