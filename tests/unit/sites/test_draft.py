import dataclasses
import json

import pytest

from deeprc.errors import ConfigError
from deeprc.sites import load_site
from deeprc.sites.detect.accelerators import Accelerators
from deeprc.sites.detect.launchers import LauncherProgram
from deeprc.sites.detect.machine import find_out
from deeprc.sites.detect.mpi import MpiLibrary
from deeprc.sites.detect.nics import Nic
from deeprc.sites.detect.scheduler import Queue, SchedulerFound
from deeprc.sites.draft import write_draft


@pytest.fixture(scope="module")
def here():
    return find_out()


@pytest.fixture
def cluster(here):
    """A cluster with Slingshot and MI250X, as detection describes one."""
    return dataclasses.replace(
        here,
        hosts=["login2", "login2.lake.example.edu"],
        variables={"LMOD_SYSTEM_NAME": "lake"},
        scheduler=SchedulerFound(
            "slurm",
            "23.11",
            "lake",
            [Queue("batch", 100, 64, 512000, None), Queue("gpu", 20, 64, 512000, "gpu:mi250x:8")],
        ),
        launchers=[LauncherProgram("srun", "/usr/bin/srun", "23.11", ("cray", "pmi2"))],
        accelerators=[Accelerators("amd", "AMD Instinct MI250X", 8, "/sys/class/kfd", 69, "gfx90a", "6.3.6")],
        nics=[Nic(f"cxi{number}", "slingshot", "cxi", 200) for number in range(4)],
        mpi=[MpiLibrary("/opt/cray/lib/libmpi.so.12", "libmpi.so.12", "mpich", "cray-mpich", "8.1.28", "3.4")],
    )


def test_a_draft_of_this_machine_can_be_used(here, tmp_path):
    site = load_site(write_draft(here, tmp_path))
    assert site.partition().architecture == here.architecture
    assert site.launcher.name in {one.launcher for one in here.launchers}


def test_what_one_process_has_found_another_can_read(here, cluster):
    for machine in (here, cluster):
        assert type(machine).from_record(json.loads(json.dumps(machine.record()))) == machine


def test_every_guess_is_marked(cluster, tmp_path):
    site = load_site(write_draft(cluster, tmp_path))
    marked = {place: fact for place, fact in site.facts() if fact.model_dump(exclude_defaults=True)}
    assert {fact.mark for fact in marked.values()} == {"U"}
    assert all(fact.source == "deeprc site detect on login2" and fact.date for fact in marked.values())
    assert {"identity", "scheduler", "launcher", "interconnect", "runtime", "partitions.gpu"} <= set(marked)


def test_a_cluster(cluster, tmp_path):
    path = write_draft(cluster, tmp_path)
    site = load_site(path)
    assert path == tmp_path / "lake" / "site.yaml"
    assert site.identity.environment == {"LMOD_SYSTEM_NAME": "lake"}
    assert site.identity.hostnames == [r".*\.lake\.example\.edu"]
    assert (site.launcher.name, site.launcher.pmi) == ("srun", ["cray", "pmi2"])
    assert (site.interconnect.fabric, site.interconnect.provider) == ("slingshot", "cxi")
    assert (site.mpi[0].title, site.mpi[0].abi_version, site.mpi[0].family) == ("cray-mpich 8.1.28", "3.4", "mpich")
    assert site.partition("batch").accelerator is None
    gpu = site.partition("gpu")
    assert (gpu.accelerator.arch, gpu.accelerator.count, gpu.nodes) == ("gfx90a", 8, 20)
    assert gpu.scheduler_options[0] == "--partition=gpu"


def test_what_stands_there_is_kept(here, tmp_path):
    path = write_draft(here, tmp_path)
    path.write_text("mine")
    with pytest.raises(ConfigError, match="there is a site file already"):
        write_draft(here, tmp_path)
    assert path.read_text() == "mine"
