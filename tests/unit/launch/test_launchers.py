"""Each launcher's exact line."""

from pathlib import Path

import pytest

from deeprc.core.errors import ConfigError
from deeprc.launch.launchers import Layout, known_launchers, launcher
from samples.sites import cluster

ONE = Layout(ranks=4, cores_per_rank=2)
SEVERAL = Layout(ranks=32, cores_per_rank=7, gpus_per_rank=1, nodes=4)
SRUN_SEVERAL = (
    "srun --nodes=4 --ntasks=32 --ntasks-per-node=8 --cpus-per-task=7 --kill-on-bad-exit=1 "
    "--gpus-per-task=1 --gpu-bind=per_task:1"
)


@pytest.fixture
def environment(tmp_path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mpiexec").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "layout", "expected"),
    [
        ("fork", Layout(), ""),
        ("srun", ONE, "srun --nodes=1 --ntasks=4 --cpus-per-task=2 --kill-on-bad-exit=1"),
        ("srun", SEVERAL, SRUN_SEVERAL),
        ("ibrun", SEVERAL, "ibrun -n 32 -o 0 task_affinity"),
        (
            "jsrun",
            SEVERAL,
            "jsrun --nrs=32 --tasks_per_rs=1 --cpu_per_rs=7 --gpu_per_rs=1 --rs_per_host=8 --bind=packed:7 "
            "--smpiargs=-gpu",
        ),
        (
            "mpiexec-pals",
            SEVERAL,
            "mpiexec -n 32 --ppn 8 --depth 7 --cpu-bind depth --hostfile $PBS_NODEFILE",
        ),
        ("mpiexec-hydra", ONE, "{env}/bin/mpiexec -np 4"),
        ("mpiexec-hydra", SEVERAL, "{env}/bin/mpiexec -np 32 -ppn 8"),
        ("mpirun-intelmpi", SEVERAL, "mpirun -np 32 -ppn 8"),
        (
            "mpirun-openmpi",
            SEVERAL,
            "mpirun -np 32 --map-by ppr:8:node:PE=7 --bind-to core -x A -x B",
        ),
    ],
)
def test_line(environment, name, layout, expected):
    site = cluster()
    found = launcher(site, site.partition(), environment, name)
    assert " ".join(found.command(layout, exports=["A", "B"])) == expected.format(env=environment)
    assert found.name == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("srun", "--nodelist={hosts}"),
        ("ibrun", "-o {offset}"),
        ("mpiexec-pals", "--hostfile {hostfile}"),
        ("mpiexec-hydra", "-f {hostfile}"),
        ("mpirun-openmpi", "--hostfile {hostfile}"),
    ],
)
def test_a_pilot_chooses_the_nodes(environment, name, expected):
    site = cluster()
    line = " ".join(launcher(site, site.partition(), environment, name).command(SEVERAL, placed=True))
    assert expected in line
    assert "$PBS_NODEFILE" not in line


@pytest.mark.parametrize(
    ("name", "own", "placed"),
    [
        ("mpirun-openmpi", "--map-by ppr:8:node:PE=7 --bind-to core", "--map-by ppr:8:node --bind-to none"),
        ("mpiexec-pals", "--depth 7 --cpu-bind depth", "--cpu-bind {binding}"),
    ],
)
def test_in_a_pilot_ranks_are_not_bound_to_a_nodes_first_cores(environment, name, own, placed):
    """Other tasks may be on the same node, and would be bound to them, too."""
    site = cluster()
    made = launcher(site, site.partition(), environment, name)
    alone, beside = (" ".join(made.command(SEVERAL, placed=where)) for where in (False, True))
    assert own in alone
    assert placed in beside
    assert own not in beside


def test_in_a_pilot_slurm_gives_each_step_what_is_its_own(environment):
    site = cluster()
    slurm = launcher(site, site.partition(), environment, "srun")
    assert slurm.placement(SEVERAL, placed=True)[1:3] == ["--exact", "--mem=0"]
    assert slurm.placement(Layout(2), placed=True)[-1] == "--gres=none"
    assert "--gres=none" not in slurm.placement(Layout(2, 1, 1), placed=True)
    assert slurm.placement(SEVERAL, placed=False) == []


def test_intel_mpi_pins_only_where_it_is_alone(environment):
    site = cluster()
    intel = launcher(site, site.partition(), environment, "mpirun-intelmpi")
    heed = {"I_MPI_JOB_RESPECT_PROCESS_PLACEMENT": "off"}
    assert (intel.variables(SEVERAL), intel.variables(SEVERAL, placed=True)) == (heed, heed | {"I_MPI_PIN": "off"})
    assert intel.variables(ONE) == {}


def test_where_slurm_counts_hardware_threads_ranks_are_bound_to_whole_cores():
    site = cluster(partition={"threads_per_core": 2})
    line = " ".join(launcher(site, site.partition(), Path("/env"), "srun").command(ONE))
    assert "--cpus-per-task=4 --cpu-bind=cores" in line


def test_ranks_in_one_container_all_get_the_nodes_accelerators():
    site = cluster()
    line = launcher(site, site.partition(), Path("/env"), "srun").command(SEVERAL, gpus_by="variable")
    assert line[-3:] == ["--distribution=block:block", "--gpus-per-node=8", "--gpu-bind=none"]
    few = Layout(ranks=2, gpus_per_rank=2)
    line = launcher(site, site.partition(), Path("/env"), "srun").command(few, gpus_by="variable", placed=True)
    assert {"--gpus-per-node=4", "--gpu-bind=none"} <= set(line)  # the rest is for others' tasks


def test_ranks_lie_in_blocks_where_the_order_of_accelerators_counts_on_it():
    """Slurm's default deals ranks out to sockets in turn: the second one's accelerator would be the first socket's."""

    def told(layout=SEVERAL, options=(), by="variable"):
        site = cluster(launcher={"name": "srun", "options": list(options)})
        line = launcher(site, site.partition(), Path("/env")).command(layout, gpus_by=by)
        return [word for word in line if word.startswith(("--distribution", "-m"))]

    assert told() == ["--distribution=block:block"]
    assert told(Layout(4, 7, 1, 4)) == told(by="per_task") == told(Layout(8, 7)) == []
    assert told(options=["--distribution=*:fcyclic"]) == ["--distribution=*:fcyclic"]
    assert told(options=["-m", "block:cyclic"]) == ["-m"]


def test_ibrun_numbers_ranks_as_the_mpi_below_it_does():
    intel, ompi = cluster(), cluster(mpi=[{"implementation": "openmpi", "version": "5.0", "family": "openmpi"}])
    numbers = [launcher(site, site.partition(), Path("/env"), "ibrun") for site in (intel, ompi)]
    assert [one.local_rank for one in numbers] == ["MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK"]
    assert [one.rank for one in numbers] == ["PMI_RANK", "OMPI_COMM_WORLD_RANK"]


def test_srun_is_told_the_pmi():
    site = cluster()
    srun = launcher(site, site.partition(), Path("/env"), "srun")
    assert "--mpi=pmi2" in srun.command(ONE, pmi="pmi2")
    assert "--mpi=cray_shasta" in srun.command(ONE, pmi="cray")
    assert "--mpi=none" in srun.command(ONE, pmi="pmi1")
    assert not any(option.startswith("--mpi") for option in srun.command(ONE))
    own = cluster(launcher={"name": "srun", "options": ["--mpi=pmix_v4"]})
    line = launcher(own, own.partition(), Path("/env")).command(ONE, pmi="pmix")
    assert [word for word in line if word.startswith("--mpi")] == ["--mpi=pmix_v4"]


def test_ranks_per_node_of_ibrun_come_by_a_variable():
    site = cluster()
    ibrun = launcher(site, site.partition(), Path("/env"), "ibrun")
    assert ibrun.variables(SEVERAL) == {"IBRUN_TASKS_PER_NODE": "8"}


def test_the_sites_own_options_and_program():
    site = cluster(
        launcher={"name": "mpirun-openmpi", "program": "/opt/ompi/bin/mpirun", "options": ["--mca", "a", "b"]}
    )
    line = launcher(site, site.partition(), Path("/env")).command(ONE, extra=["--more"])
    assert line[0] == "/opt/ompi/bin/mpirun"
    assert line[-4:] == ["--mca", "a", "b", "--more"]


def test_a_partition_may_have_a_launcher_of_its_own():
    site = cluster(partition={"launcher": "ibrun"})
    assert launcher(site, site.partition(), Path("/env")).name == "ibrun"


def test_auroras_documented_binding():
    """ALCF running-jobs-aurora.md: 12 ranks of 8 cores, none on the reserved cores 0 and 52."""
    site = cluster(partition={"cores": 104, "sockets": 2, "reserved_cores": [0, 52]})
    pals = launcher(site, site.partition(), Path("/env"), "mpiexec-pals")
    line = pals.command(Layout(ranks=24, cores_per_rank=8, nodes=2))
    documented = "list:1-8:9-16:17-24:25-32:33-40:41-48:53-60:61-68:69-76:77-84:85-92:93-100"
    assert line[line.index("--cpu-bind") + 1] == documented


def test_unknown_launcher_names_the_known_ones():
    site = cluster(launcher={"name": "srum"})
    with pytest.raises(ConfigError, match="unknown launcher 'srum'") as error:
        launcher(site, site.partition(), Path("/env"))
    assert error.value.expected == "one of " + ", ".join(known_launchers())
    assert error.value.fix == "did you mean 'srun'?"


def test_mpiexec_is_never_taken_from_elsewhere(tmp_path, monkeypatch):
    """Another MPI's mpiexec on the PATH is no substitute for the environment's own."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mpiexec").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other))
    site = cluster()
    with pytest.raises(ConfigError, match="the environment has no mpiexec") as error:
        launcher(site, site.partition(), tmp_path, "mpiexec-hydra").command(Layout(ranks=2))
    assert error.value.fix == "pip install mpich"
