"""A site whose compute nodes alone have the runtime, by a module: images are pulled and checked in a job there."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from deeprc.images import publish, sif
from deeprc.images.store import Store
from pilots import events, wait_for
from slurm_cluster import private_cluster

pytestmark = [pytest.mark.requires(name) for name in ("apptainer", "registry", "slurm", "lmod")]
MACHINE = platform.machine()
RUNTIMES = ("apptainer", "singularity")
SNAKEFILE = """\
rule all:
    input:
        "world",
        "outside",

rule world:
    output:
        "world"
    resources:
        tasks=2
    shell:
        "python -c 'from mpi4py import MPI; c = MPI.COMM_WORLD; s = c.allreduce(1);"
        ' c.rank == 0 and open("{output}", "w").write(str(s))\\''

rule outside:
    output:
        "outside"
    run:
        open(output[0], "w").write("no image")
"""


class Login:
    """The login node of a Slurm cluster: its PATH has no runtime."""

    def __init__(self, cluster, folder: Path) -> None:
        self.cluster = cluster
        modules = folder / "modules" / "runtime"
        modules.mkdir(parents=True)
        place = Path(shutil.which("apptainer")).parent
        (modules / "1.4.lua").write_text(f'prepend_path("PATH", "{place}")\n')
        self.site = folder / "site.yaml"
        parts = {
            "name": "compute-only",
            "description": "a Slurm on this machine",
            "contact": "the tests",
            "url": "none",
            "identity": {"environment": {"SLURM_CONF": str(cluster.environment["SLURM_CONF"])}},
            "scheduler": {"name": "slurm", "options": ["--partition=debug"]},
            "launcher": {"name": "srun", "pmi": ["pmi2"], "options": ["--mpi=pmi2"]},
            "interconnect": {"fabric": "ethernet", "description": "loopback", "provider": "tcp"},
            "mpi": [{"implementation": "mpich", "version": "4.0", "family": "mpich", "bindable": False}],
            "runtime": {
                "kind": "apptainer", "where": "compute", "modules": [f"use {modules.parent}", "runtime/1.4"],
            },
            "storage": {"node_local": str(folder / "node"), "node_copy_ranks": 2},
            "partitions": [{
                "name": "debug", "nodes": 2, "architecture": "detect", "cores": cluster.shape.cores,
                "scheduler_options": ["--nodes={nodes}", "--ntasks-per-node={ranks_per_node}"],
            }],
        }  # fmt: skip
        self.site.write_text(yaml.safe_dump(parts))
        path = [self._without_runtime(Path(each), folder) for each in os.environ["PATH"].split(":") if each]
        self.environment = {**os.environ, **cluster.environment, "PATH": ":".join(path), "DEEPRC_ADDRESS": "127.0.0.1"}
        assert not any(shutil.which(name, path=self.environment["PATH"]) for name in RUNTIMES)

    def _without_runtime(self, place: Path, folder: Path) -> str:
        """The folder of programs; if a runtime is in it, one with all others."""
        if not any((place / name).exists() for name in RUNTIMES):
            return str(place)
        other = folder / f"bin{len(list(folder.glob('bin*')))}"
        other.mkdir()
        for program in place.iterdir():
            if program.name not in RUNTIMES:
                (other / program.name).symlink_to(program)
        return str(other)

    def run(self, program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
        """A program of the project's, on the login node."""
        command = [str(Path(sys.executable).parent / program), *map(str, arguments)]
        return subprocess.run(
            command, env={**self.environment, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=400,
        )  # fmt: skip


@pytest.fixture(scope="module")
def login(tmp_path_factory):
    with private_cluster() as cluster:
        yield Login(cluster, tmp_path_factory.mktemp("login"))


@pytest.fixture
def known():
    """The store and the catalog of the test, where the login node's programs look for them."""

    def names() -> dict[str, str]:
        return {name: os.environ[name] for name in ("DEEPRC_CATALOG", "DEEPRC_IMAGES", "APPTAINER_KEYSDIR")}

    return names


def published(world, registry, key, *, padding: int = 0):
    """A signed image that a registry has and nobody else."""
    held = world.adopt(world.sif(padding), sign=key)
    publish.push(held, uri := f"oras://{registry.host}/test/compute{time.monotonic_ns()}")
    world.store.prune([])
    return world.publish(
        uri=uri, digests={MACHINE: held.digest}, key=key.fingerprint
    )  # fmt: skip


def test_what_was_fetched_on_the_login_node_is_checked_in_a_job(login, known, world, registry, key):
    image = published(world, registry, key, padding=2_000_000)
    world.trust(key)
    fetched = login.run("deeprc", "image", "pull", "--site", login.site, "--here", **known())
    assert fetched.returncode == 2 and "no container runtime here" in fetched.stdout, fetched.stdout
    assert world.store.held() == [] and not login.cluster.jobs()
    registry.stop()  # compute nodes often have no network: nothing but the check is left to do
    try:
        done = login.run("deeprc", "image", "pull", "--site", login.site, **known())
    finally:
        registry.start()
    assert done.returncode == 0, done.stdout
    assert "compute-only has its runtime on compute nodes only: a job in partition debug pulls" in done.stdout
    assert f"signed with {key.fingerprint}" in done.stdout
    [held] = world.store.held()
    assert held.digest == image.digests[MACHINE] == sif.digest(held.path)
    assert not [path for path in world.store.folder.iterdir() if path.is_dir()]
    wait_for(lambda: not login.cluster.jobs(), 30)
    again = login.run("deeprc", "image", "pull", "--site", login.site, **known())
    assert again.returncode == 0 and "a job in partition" not in again.stdout  # it is here: nothing is queued


def test_what_the_job_refuses_is_told_in_its_own_words(login, known, world, registry, key, other_key):
    published(world, registry, other_key)
    world.publish(**{**world.image.model_dump(include={"uri", "digests"}), "key": key.fingerprint})
    world.trust(key)
    done = login.run("deeprc", "image", "pull", "--site", login.site, **known())
    assert done.returncode == 2, done.stdout
    assert (
        "error: image cpu could not be pulled:" in done.stdout and "the image is signed with another key" in done.stdout
    )
    assert key.fingerprint in done.stdout and world.store.held() == []
    wait_for(lambda: not login.cluster.jobs(), 30)


def test_nothing_is_queued_for_an_image_that_is_published_nowhere(login, known, world):
    world.publish(digests={MACHINE: "sha256:" + "1" * 64})
    done = login.run("deeprc", "image", "pull", "--site", login.site, **known())
    assert done.returncode == 2 and "published nowhere" in done.stdout and "a job" not in done.stdout


def test_a_workflows_pilot_gets_the_image_itself(login, publication, key, tmp_path):
    """Nobody has pulled: the pilot's first task does, and ranks start from the copy on the node's own disk."""
    (tmp_path / "no-keys").mkdir(mode=0o700)

    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    done = login.run(
        "snakemake", "--executor", "radical-pilot", "--jobs", "10", "--directory", folder, "--snakefile",
        folder / "Snakefile", "--radical-pilot-site", login.site, "--radical-pilot-runtime", "10",
        DEEPRC_CATALOG=str(publication.catalog), DEEPRC_IMAGES=str(tmp_path / "images"),
        APPTAINER_KEYSDIR=str(tmp_path / "no-keys"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "image cpu is not here: the pilot's first task pulls it" in done.stdout
    assert "image cpu is here (" in done.stdout
    [pulled] = Store(tmp_path / "images", []).held()
    assert (pulled.digest, pulled.signed_by) == (publication.digest, key.fingerprint)
    assert ((folder / "world").read_text(), (folder / "outside").read_text()) == ("2", "no image")
    [line] = [event["argv"] for event in events(folder) if event["event"] == "job" and event["rule"] == "world"][:1]
    assert line.count(str(pulled.path)) == 2 and line.index("apptainer") > line.index(str(pulled.path))
    [copy] = (Path(yaml.safe_load(login.site.read_text())["storage"]["node_local"])).glob("*/*.sif")
    assert copy.name == pulled.path.name and sif.digest(copy) == publication.digest
