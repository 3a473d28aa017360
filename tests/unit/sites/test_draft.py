import dataclasses
import datetime
import json

import pytest

from deeprc.core.errors import ConfigError
from deeprc.launch import Layout, compose
from deeprc.schedulers import Queue, SchedulerFound
from deeprc.sites import load_site
from deeprc.sites.detect.accelerators import Accelerators
from deeprc.sites.detect.launchers import LauncherProgram
from deeprc.sites.detect.machine import find_out
from deeprc.sites.detect.mpi import MpiLibrary
from deeprc.sites.detect.nics import Nic
from deeprc.sites.draft import draft, write_draft
from samples import sites


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


A100 = Accelerators("nvidia", "NVIDIA A100-SXM4-40GB", 4, "nvidia-smi", 43, "sm_80", "535.129.03")
GH200 = Accelerators("nvidia", "NVIDIA GH200 120GB", 1, "nvidia-smi", 103, "sm_90", "565.57.01")


def parts(machine, queues, accelerators=(), name="slurm", **facts):
    """The partitions of a draft, by their names."""
    batch = SchedulerFound(name, queues=queues)
    machine = dataclasses.replace(machine, scheduler=batch, accelerators=list(accelerators), **facts)
    return {part["name"]: part for part in draft(machine)["partitions"]}


def test_nodes_that_differ_in_one_partition_are_kept_apart(cluster):
    queues = [
        Queue("gpu", 12, 128, 1048576, "gpu:a100:4(S:0-1)", sockets=2),
        Queue("gpu", 20, 64, 262144, None, sockets=2),
        Queue("mixed", 3, 64, 524288, "gpu:v100:2(S:0),gpu:a100:2(S:1)", sockets=2),
        Queue("amd", 8, 64, 524288, "gpu:mi250:8", sockets=1),
        Queue("mig", 2, 64, 524288, "gpu:a100_1g.5gb:28(S:0-1)", sockets=2),
        Queue("plain", 2, 64, 524288, "gpu:2", sockets=2),
    ]
    found = parts(cluster, queues, [A100])
    here = {
        "vendor": "nvidia",
        "model": "NVIDIA A100-SXM4-40GB",
        "arch": "sm_80",
        "memory_gb": 43,
        "driver": "535.129.03",
    }
    assert {name: part.get("accelerator") for name, part in found.items()} == {
        "gpu-a100": here | {"count": 4},
        "gpu-cpu": None,
        "mixed-v100": {"vendor": "nvidia", "model": "v100", "arch": "sm_70", "count": 2},
        "mixed-a100": here | {"count": 2},
        "amd": {"vendor": "amd", "model": "mi250", "arch": "gfx90a", "count": 8},
        "mig": {"vendor": "nvidia", "model": "a100_1g.5gb", "arch": "sm_80", "memory_gb": 5, "count": 28},
        "plain": {"vendor": "nvidia", "model": "FILL IN", "count": 2},
    }
    assert {part["queue"] for part in found.values()} == {"gpu", "mixed", "amd", "mig", "plain"}
    assert found["mixed-a100"]["scheduler_options"][-1] == "--gres=gpu:a100:{gpus}"
    assert found["plain"]["scheduler_options"][-1] == "--gres=gpu:{gpus}"
    assert found["gpu-cpu"]["scheduler_options"][-1] == "--ntasks-per-node={ranks_per_node}"
    assert "slices (MIG)" in found["mig"]["note"]


@pytest.mark.parametrize(
    ("gg", "gh", "with_gpus"),
    [
        ({}, {"here": True}, {"gh"}),  # the batch system says where this node is
        ({}, {"cores": 7, "memory_mb": 1000}, {"gh"}),  # or its cores and memory
        ({}, {}, {"gh"}),  # or the name: GH200
        ({"name": "one"}, {"name": "two"}, set()),  # or nobody
    ],
)
def test_accelerators_that_the_scheduler_does_not_know_are_this_nodes(cluster, gg, gh, with_gpus):
    queues = [Queue(**{"name": "gg", "nodes": 256, "cores": 144, "memory_mb": 248512} | gg)]
    queues += [Queue(**{"name": "gh", "nodes": 600, "cores": 72, "memory_mb": 121634} | gh)]
    found = parts(cluster, queues, [GH200], physical_cores=7, cores=7, memory_mb=1000)
    assert {name for name, part in found.items() if "accelerator" in part} == with_gpus
    if not with_gpus:
        assert "FILL IN: this node has 1 x NVIDIA GH200 120GB" in found["one"]["note"]


def test_the_architecture_of_other_nodes_is_told_or_asked_for(cluster):
    x86 = {"architecture": "x86_64", "accelerators": []}
    queues = [Queue("cpu", 9, 64, here=True), Queue("gpu", 4, 72, None, "gpu:gh200:1"), Queue("gh", 4, 72)]
    queues += [Queue("gh200", 4, 72, None, "gpu:4"), Queue("v100", 4, 40, None, "gpu:v100:4")]
    found = parts(cluster, queues, **x86)
    asked = {name for name, part in found.items() if "FILL IN: the architecture" in part.get("note", "")}
    assert asked == {"gh", "v100"}  # of which nothing says it
    assert {name for name, part in found.items() if part["architecture"] == "aarch64"} == {"gpu", "gh200"}


@pytest.mark.parametrize(
    ("gres", "vendor", "count", "note"),
    [
        ("gpu:mi300a:4", "amd", 4, None),
        ("gpu:fat:4", "nvidia", 4, "FILL IN: whose accelerators these are"),
        ("gpu:premium:4", "nvidia", 4, "FILL IN: whose accelerators these are"),
        ("gpu:a100", "nvidia", 1, "FILL IN: how many accelerators a node has"),
        ("gpu", "nvidia", 1, "FILL IN: how many accelerators a node has"),
    ],
)
def test_what_is_a_guess_about_accelerators_is_asked_for(gres, vendor, count, note, cluster):
    part = parts(cluster, [Queue("cpu", 9, 64, here=True), Queue("gpu", 4, 96, None, gres)], [])["gpu"]
    assert (part["accelerator"]["vendor"], part["accelerator"]["count"]) == (vendor, count)
    assert note in part["note"] if note else "accelerators" not in part["note"]


def test_an_architecture_that_the_batch_system_tells_is_not_asked_for(cluster):
    part = parts(cluster, [Queue("cpu", 9, 64, here=True), Queue("arm", 4, 144, arch="aarch64")], [])["arm"]
    assert part["architecture"] == "aarch64" and "FILL IN" not in part.get("note", "")


def test_threads_are_no_cores(cluster):
    other = Queue("other", 1, 1, 1)
    assert parts(cluster, [Queue("cpu", 9, 128, 512000, None, threads=2, sockets=2), other])["cpu"] == {
        "name": "cpu", "nodes": 9, "architecture": cluster.architecture, "cores": 128, "memory_mb": 512000,
        "threads_per_core": 2, "sockets": 2, "queue": "cpu", "mark": "U", "source": "deeprc site detect on login2",
        "date": datetime.date.today(),
        "scheduler_options": ["--partition=cpu", "--nodes={nodes}", "--ntasks-per-node={ranks_per_node}"],
        "note": "FILL IN: the architecture is this node's, `uname -m` on one of these tells theirs",
    }  # fmt: skip
    pbs = parts(
        cluster, [Queue("small", 9, 64, None, "gpu:A100:4", here=True)], [A100], "pbspro", physical_cores=32, cores=64
    )
    assert (pbs["small"]["cores"], pbs["small"]["threads_per_core"]) == (32, 2)


def test_how_pbs_and_lsf_are_asked(cluster):
    pbs = parts(cluster, [Queue("small", 24, 64, 540336, "gpu:A100:4"), Queue("cpu", 9, 32, 540336)], name="pbspro")
    assert pbs["small"]["scheduler_options"] == [
        "-q", "small", "-l", "select={nodes}:ncpus=64:ngpus={gpus}", "-l", "place=scatter:excl",
    ]  # fmt: skip
    site = sites.cluster(scheduler={"name": "pbspro"}, partition=pbs["small"])
    assert compose(site, site.partition(), Layout(4, nodes=2), ["run"]).scheduler_options == [
        "-q", "small", "-l", "select=2:ncpus=64:ngpus=4", "-l", "place=scatter:excl",
    ]  # fmt: skip
    assert pbs["cpu"]["scheduler_options"][3] == "select={nodes}:ncpus=32"
    lsf = parts(cluster, [Queue("batch", 1)], [A100], "lsf")  # nothing is known of its nodes but this one
    assert lsf["batch"]["accelerator"]["count"] == 4
    assert lsf["batch"]["scheduler_options"] == ["-q", "batch"]
    site = sites.cluster(scheduler={"name": "lsf", "csm": False}, partition=lsf["batch"] | {"cores": 32, "nodes": 9})
    assert compose(site, site.partition(), Layout(4, nodes=2), ["run"]).scheduler_options == [
        "-q", "batch", "-n", "64", "-R", "span[ptile=32]", "-gpu", "num=4:j_exclusive=yes",
    ]  # fmt: skip
    jsrun = [LauncherProgram("jsrun", "/opt/ibm/spectrum_mpi/jsm_pmix/bin/jsrun")]
    summit = parts(cluster, [Queue("batch", 1)], [A100], "lsf", launchers=jsrun)
    assert summit["batch"]["scheduler_options"] == ["-q", "batch"]
    site = sites.cluster(scheduler={"name": "lsf", "csm": True}, partition=summit["batch"] | {"nodes": 9})
    assert compose(site, site.partition(), Layout(4, nodes=2), ["run"]).scheduler_options == [
        "-q",
        "batch",
        "-nnodes",
        "2",
    ]


def test_no_launcher_of_our_own_environment(cluster):
    ours = LauncherProgram("mpiexec-hydra", "/env/bin/mpiexec", "5.0.2", ("pmi1", "pmi2"), own=True)
    theirs = LauncherProgram("mpirun-openmpi", "/usr/bin/mpirun", "4.1.4", ("orte", "pmix"))
    both = draft(dataclasses.replace(cluster, launchers=[*cluster.launchers, ours, theirs]))["launcher"]
    assert (both["name"], both["alternatives"]) == ("srun", ["mpirun-openmpi"])
    lsf = dataclasses.replace(cluster, launchers=[ours], scheduler=SchedulerFound("lsf"))
    assert "FILL IN" in draft(lsf)["launcher"]["note"] and draft(lsf)["launcher"]["name"] != "jsrun"
    jsrun = LauncherProgram("jsrun", "/opt/ibm/spectrum_mpi/jsm_pmix/bin/jsrun")
    summit = draft(dataclasses.replace(lsf, launchers=[theirs, jsrun]))["launcher"]
    assert (summit["name"], summit["alternatives"]) == ("jsrun", ["mpirun-openmpi"])


def test_the_default_pmi_and_what_the_mpi_speaks(cluster):
    batch = dataclasses.replace(cluster.scheduler, default_pmi="none")
    content = draft(dataclasses.replace(cluster, scheduler=batch))
    assert (content["launcher"]["pmi"], content["launcher"]["default_pmi"]) == (["cray", "pmi2"], "none")
    assert [mpi["pmi"] for mpi in content["mpi"]] == [["cray"]]
    batch = dataclasses.replace(cluster.scheduler, default_pmi="pmi2")
    assert draft(dataclasses.replace(cluster, scheduler=batch))["launcher"]["pmi"] == ["pmi2", "cray"]


def test_our_own_mpi_counts_where_there_is_no_other(cluster, here):
    ours = [library for library in here.mpi if library.own]
    assert [mpi["implementation"] for mpi in draft(dataclasses.replace(cluster, mpi=[*cluster.mpi, *ours]))["mpi"]] == [
        "cray-mpich"
    ]
    (own,) = draft(dataclasses.replace(cluster, mpi=ours))["mpi"]
    assert (own["implementation"], own["pmi"], own["bindable"]) == ("mpich", ["pmi2", "pmi1"], False)
    assert "library" not in own


def test_what_was_left_out_is_said(cluster, tmp_path):
    batch = dataclasses.replace(cluster.scheduler, left_out=["empty: it has no nodes"])
    path = write_draft(dataclasses.replace(cluster, scheduler=batch), tmp_path)
    assert "# Left out: empty: it has no nodes\n" in path.read_text() and load_site(path)


def test_a_batch_system_without_a_scheduler_of_ours_is_refused(cluster, tmp_path):
    torque = dataclasses.replace(cluster, scheduler=SchedulerFound("torque", "6.1.3"))
    with pytest.raises(ConfigError, match="no draft can be made") as told:
        write_draft(torque, tmp_path)
    assert (told.value.found, list(tmp_path.iterdir())) == ("torque 6.1.3", [])


def test_what_stands_there_is_kept(here, tmp_path):
    path = write_draft(here, tmp_path)
    path.write_text("mine")
    with pytest.raises(ConfigError, match="there is a site file already"):
        write_draft(here, tmp_path)
    assert path.read_text() == "mine"
