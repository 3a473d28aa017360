import dataclasses

import pytest

from deeprc.doctor.compare import compare
from deeprc.schedulers import SchedulerFound
from deeprc.sites import load_site
from deeprc.sites.detect.accelerators import Accelerators
from deeprc.sites.detect.launchers import LauncherProgram
from deeprc.sites.detect.machine import find_out
from deeprc.sites.detect.nics import Nic
from deeprc.sites.software import Interconnect, LauncherFact, Mpi, Runtime

A100 = {"vendor": "nvidia", "model": "A100", "count": 4, "arch": "sm_80", "driver": "535.10"}


@pytest.fixture(scope="module")
def here():
    return find_out()


@pytest.fixture(scope="module")
def site():
    return load_site("localhost")


def lines(machine, site, partition=None, on_node=True):
    found = compare(machine, site, partition or site.partition(), machine if on_node else None)
    return {line.subject: line for line in found}


def with_gpus(site):
    part = site.partition()
    return type(part).model_validate(part.model_dump(exclude_none=True) | {"accelerator": A100})


def test_this_machine_is_as_its_file_says(here, site):
    assert {line.same for line in lines(here, site).values()} == {True}


def test_hardware_that_differs(here, site):
    other = dataclasses.replace(here, architecture="riscv64", cores=1000, physical_cores=1000, memory_mb=1)
    found = lines(other, site)
    assert [found[name].same for name in ("architecture", "cores", "memory")] == [False] * 3
    assert found["architecture"].grave and not found["cores"].grave
    assert "riscv64" in found["architecture"].found and found["memory"].found == "1 MB"


def test_a_login_nodes_hardware_is_not_compared(here, site):
    assert not {"cores", "memory", "accelerators", "network"} & lines(here, site, on_node=False).keys()


@pytest.mark.parametrize(
    ("there", "same", "grave"),
    [
        ([Accelerators("nvidia", "NVIDIA A100", 4, "nvidia-smi", driver="535.10")], True, False),
        ([Accelerators("nvidia", "NVIDIA A100", 1, "nvidia-smi", driver="535.10")], False, False),
        ([], False, True),
        ([Accelerators("amd", "MI250X", 4, "kfd")], False, True),
    ],
)
def test_accelerators(here, site, there, same, grave):
    line = lines(dataclasses.replace(here, accelerators=there), site, with_gpus(site))["accelerators"]
    assert (line.same, line.grave) == (same, grave)


@pytest.mark.parametrize(("driver", "same"), [("525.60.13", False), ("535.10", True), ("550.1", True)])
def test_a_driver_older_than_the_file_says_is_grave(here, site, driver, same):
    there = [Accelerators("nvidia", "NVIDIA A100", 4, "nvidia-smi", driver=driver)]
    line = lines(dataclasses.replace(here, accelerators=there), site, with_gpus(site))["driver"]
    assert (line.same, line.grave) == (same, not same)


def test_the_network(here, site):
    fabric = Interconnect(fabric="slingshot", description="x", provider="cxi")
    site = site.model_copy(update={"interconnect": fabric})
    assert lines(dataclasses.replace(here, nics=[Nic("eth0", "ethernet", "tcp")]), site)["network"].same is False
    assert lines(dataclasses.replace(here, nics=[Nic("cxi0", "slingshot", "cxi")]), site)["network"].same is True


def test_software_that_differs(here, site):
    site = site.model_copy(
        update={
            "launcher": LauncherFact(name="jsrun"),
            "mpi": [Mpi(implementation="mpich", version="4.1", family="mpich")],
            "runtime": Runtime(kind="shifter"),
            "glibc": "2.5",
        }
    )
    found = lines(dataclasses.replace(here, scheduler=SchedulerFound("slurm"), runtimes=[]), site)
    assert [found[name].grave for name in ("scheduler", "launcher", "runtime")] == [True] * 3
    assert (found["MPI mpich"].same, found["MPI mpich"].grave) == (False, False)
    assert found["C library"].same is False


@pytest.mark.parametrize(
    ("offered", "same", "words"),
    [((), False, "has srun its slurm.conf"), (("pmi2",), False, "no plugin for pmix"), (("pmix", "pmi2"), True, None)],
)
def test_an_srun_that_lists_nothing_says_nothing_of_the_file(here, site, offered, same, words):
    site = site.model_copy(update={"launcher": LauncherFact(name="srun", pmi=["pmix"])})
    srun = LauncherProgram("srun", "/usr/bin/srun", pmi=offered)
    line = lines(dataclasses.replace(here, launchers=[srun]), site)["PMI"]
    assert line.same is same and (words in line.fix if words else line.fix is None)


def test_what_comes_with_a_module_cannot_be_told(here, site):
    mpi = Mpi(implementation="intel-mpi", version="2021.9", family="mpich", modules=["impi/21.9"])
    site = site.model_copy(update={"launcher": LauncherFact(name="ibrun"), "mpi": [mpi]})
    site = site.model_copy(update={"runtime": Runtime(kind="singularity", where="compute")})
    found = lines(dataclasses.replace(here, runtimes=[]), site)
    assert [found[name].same for name in ("launcher", "MPI intel-mpi", "runtime")] == [None] * 3
    assert "impi/21.9" in found["launcher"].fix
