"""A real Slurm on this machine; an Open MPI beside the environment's MPICH; and site files that differ from its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deeprc.sites import sites_folder
from slurm_cluster import private_cluster


@pytest.fixture(scope="session")
def slurm():
    """The environment in which Slurm's commands talk to a cluster of two nodes, 4 cores and 2 made-up GPUs each."""
    with private_cluster() as running:
        yield {**os.environ, **running.environment}


@pytest.fixture
def site(tmp_path):
    """A function that writes this machine's site file with other facts in it, and returns its path."""

    def write(**facts: object) -> Path:
        content = yaml.safe_load((sites_folder() / "localhost" / "site.yaml").read_text()) | facts
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def deeprc():
    """A function that runs `deeprc …` as a user does."""

    def run(*argv: object, env: dict | None = None, before: tuple = (), timeout: float = 240, **options):
        program = Path(sys.executable).parent / "deeprc"
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        return subprocess.run(
            [*map(str, before), str(program), *map(str, argv)], capture_output=True, text=True, timeout=timeout,
            env=environment, **options,
        )  # fmt: skip

    return run
