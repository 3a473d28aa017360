"""PMIx in containers on a real Slurm: the image's own Open MPI is started by srun, and is one world."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from deeprc.images import load_catalog
from deeprc.launch import Layout, compose
from deeprc.launch.text import exports, launch_line
from deeprc.sites import Site, load_site
from slurm_cluster import private_cluster

pytestmark = pytest.mark.requires("apptainer", "slurm", "pmix")
ROOT = Path(__file__).resolve().parents[3]
IMAGE = load_catalog(ROOT / "containers" / "catalog.yaml").image("cpu")
PROGRAM = (
    "from mpi4py import MPI; w = MPI.COMM_WORLD; print(f'{w.rank}/{w.size}:{w.allreduce(w.rank + 1)}', flush=True)"
)
NEEDS = {"when": {"pmi": ["pmix"]}, "container": {"PMIX_MCA_gds": "hash", "PMIX_MCA_psec": "^munge"}}


@pytest.fixture(scope="module")
def cluster():
    """A Slurm of one node: its PMIx does not start on two that are one machine."""
    with private_cluster(nodes=1, cores=2, gpus=0) as running:
        yield running


def plan(srun: list[str], **parts):
    facts = load_site(ROOT / "site-configs" / "localhost").model_dump(mode="json")
    mpi = {"implementation": "openmpi", "version": "5.0", "family": "openmpi", "bindable": False, "pmi": ["pmix"]}
    launcher = {"name": "srun", "pmi": srun, "default_pmi": "none"}
    part = {"name": "debug", "nodes": 1, "architecture": "detect", "cores": 2}
    facts |= {"name": "slurm", "scheduler": {"name": "slurm"}, "launcher": launcher, "partitions": [part], "mpi": [mpi]}
    site = Site.model_validate({**facts, "runtime": {"kind": "apptainer"}, **parts})
    return lambda **more: compose(site, site.partition(), Layout(2), ["python", "-c", PROGRAM], **more)


def run(cluster, made, *, line: str | None = None, **more: str) -> subprocess.CompletedProcess:
    script = "\n".join([*exports(made), line or launch_line(made)])
    environment = {**os.environ, **cluster.environment, "DEEPRC_RANKS": "2", **more}
    return subprocess.run(
        ["salloc", "--quiet", "--nodes=1", "--ntasks=2", "bash", "-c", script], env=environment,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess) -> list[str]:
    """What each rank has printed, whose words may stand in one line."""
    return re.findall(r"\d/\d:\d", done.stdout)


def test_ranks_in_containers_are_one_world(cluster, frames_image):
    made = plan(["pmi2", "pmix"], settings=[NEEDS])(image=IMAGE, image_path=str(frames_image.path))
    assert (made.verdict, made.warnings) == ("hybrid", [])
    assert "--mpi=pmix" in made.launcher and made.environment["APPTAINERENV_PMIX_MCA_gds"] == "hash"
    done = run(cluster, made)
    assert sorted(told(done)) == ["0/2:3", "1/2:3"], done.stderr
    # The same line with a PMI that the ranks do not speak is two worlds of one, without a word from anybody.
    other = run(cluster, made, line=launch_line(made).replace("--mpi=pmix", "--mpi=pmi2"), DEEPRC_ANY_WORLD="1")
    assert (other.returncode, told(other)) == (0, ["0/1:1"] * 2), other.stderr


def test_what_would_be_worlds_of_one_is_refused(cluster):
    made = plan(["pmi2"])(image=IMAGE)
    assert made.refused and "no PMI in common: srun speaks pmi2 to its ranks, the image prrte, pmix" in made.reason
