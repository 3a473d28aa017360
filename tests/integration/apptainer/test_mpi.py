"""Two ranks in the one image: the host's MPI bound in, or the image's own of its family; and what must not go wrong.

Each launch line is the one that `deeprc plan` prints for a site like this machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from deeprc.images import load_catalog
from deeprc.launch import Layout, compose
from deeprc.sites import Site, load_site

pytestmark = pytest.mark.requires("apptainer")
ROOT = Path(__file__).resolve().parents[3]
IMAGE = load_catalog(ROOT / "containers" / "catalog.yaml").image("cpu")
PROGRAM = """
import re
from mpi4py import MPI
from deeprc.frames import Communicator
world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
libraries = set(re.findall(r"/\\S*libmpi\\.so\\S*", open("/proc/self/maps").read()))
print(f"rank {world.rank} of {world.size}: sum {total}, {' '.join(libraries)}", flush=True)
"""
SUM_ONLY = "from mpi4py import MPI; print('world', MPI.COMM_WORLD.allreduce(1), flush=True)"


@dataclass
class Host:
    """An MPI of this machine: its family, its launcher, and the folder of its library."""

    family: str
    launcher: dict
    library: Path

    @property
    def site(self) -> Site:
        """This machine, if it had that MPI and Apptainer."""
        facts = load_site(ROOT / "site-configs" / "localhost").model_dump(mode="json")
        pmi = self.launcher["pmi"]
        mpi = {"implementation": self.family, "version": "5.0", "family": self.family, "library": str(self.library)}
        changes = {"name": "here", "launcher": self.launcher, "mpi": [{**mpi, "pmi": pmi}]}
        return Site.model_validate({**facts, **changes, "runtime": {"kind": "apptainer"}})


@pytest.fixture(scope="session")
def hosts(openmpi) -> dict[str, Host]:
    """MPICH from the environment, and Open MPI."""
    program = {"name": "mpirun-openmpi", "program": str(openmpi / "bin" / "mpirun"), "pmi": ["pmix"]}
    return {
        "mpich": Host("mpich", {"name": "mpiexec-hydra", "pmi": ["pmi1"]}, Path(sys.prefix) / "lib"),
        "openmpi": Host("openmpi", program, openmpi / "lib"),
    }


@pytest.fixture(scope="session")
def cpu(frames_image) -> Path:
    """The one image, with an MPI of each family."""
    return frames_image.path


def run(argv: list[str], environment: dict[str, str], folder: Path, **more: str) -> subprocess.CompletedProcess:
    own = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "DEEPRC_RANKS": "2"}
    whole = {**os.environ, **own, **environment, **more}
    return subprocess.run(argv, capture_output=True, text=True, timeout=240, env=whole, cwd=folder)


@pytest.mark.parametrize("model", ["bind", "hybrid"])
@pytest.mark.parametrize("family", ["mpich", "openmpi"])
def test_two_ranks_are_one_world(hosts, cpu, tmp_path, family, model):
    site, command = hosts[family].site, ["python", "-c", PROGRAM]
    plan = compose(site, site.partition(), Layout(2), command, image=IMAGE, image_path=str(cpu), model=model)
    assert plan.verdict == model
    done = run(plan.argv, plan.environment, tmp_path)
    assert done.returncode == 0, done.stderr
    told = re.findall(r"rank (\d) of 2: sum 3, (\S+?libmpi\.so\.\d+)", done.stdout)  # launchers may join lines
    assert sorted(rank for rank, _ in told) == ["0", "1"], done.stdout
    # The library that was really loaded: the host's where it is bound in, else the image's.
    where = "/opt/host-mpi/" if model == "bind" else f"/opt/{family}/lib/"
    assert all(library.startswith(where) for _, library in told), told


@pytest.mark.parametrize("family", ["mpich", "openmpi"])
def test_started_by_hand_it_takes_the_mpi_of_the_launcher(hosts, cpu, tmp_path, family):
    """Without `deeprc plan` nobody tells which MPI is meant, and the wrong one is two worlds of one, with rc 0."""
    site = hosts[family].site
    launcher = compose(site, site.partition(), Layout(2), ["true"]).launcher
    argv = [*launcher, "apptainer", "exec", "--sharens", "--no-home", str(cpu), "python", "-c", PROGRAM]
    done = run(argv, {}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(re.findall(rf"rank (\d) of 2: sum 3, /opt/{family}/lib", done.stdout)) == ["0", "1"], done.stdout


@pytest.mark.parametrize(("host", "other"), [("mpich", "openmpi"), ("openmpi", "mpich")])
def test_the_other_family_when_forced_is_caught(hosts, cpu, tmp_path, host, other):
    """Without the check such a pair may end with 0, as two worlds of one (notes on Apptainer); with it, never."""
    site = hosts[host].site
    plan = compose(
        site, site.partition(), Layout(2), ["python", "-c", SUM_ONLY], image=IMAGE, image_path=str(cpu), model="hybrid"
    )
    assert plan.environment["APPTAINERENV_MPI4PY_MPIABI"] == host
    forced = {**plan.environment, "APPTAINERENV_MPI4PY_MPIABI": other}
    done = run(plan.argv, forced, tmp_path)
    assert done.returncode != 0 and "world 2" not in done.stdout
    silent = run(plan.argv, forced, tmp_path, DEEPRC_ANY_WORLD="1")
    if silent.returncode == 0:  # the check is what caught it
        assert silent.stdout.count("world") == 2 and re.findall(r"\d", silent.stdout) == ["1", "1"]  # as above
        assert "the MPI world has 1 ranks, the job 2" in done.stderr


def test_nothing_of_the_host_leaks_in(hosts, cpu, tmp_path, monkeypatch):
    """The home folder and its Python packages stay outside; the working directory is inside."""
    home = tmp_path / "home"
    packages = home / ".local/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (packages / "leak.py").touch()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data").write_text("seen")
    site = hosts["mpich"].site
    script = "import pathlib; print(pathlib.Path('data').read_text()); import leak"
    plan = compose(site, site.partition(), Layout(1), ["python", "-c", script], image=IMAGE, image_path=str(cpu))
    done = run(plan.argv, plan.environment, tmp_path / "work", HOME=str(home))
    assert "seen" in done.stdout and "No module named 'leak'" in done.stderr
