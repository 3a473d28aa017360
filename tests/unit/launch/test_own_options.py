"""A site's own options of srun: they come last and count, so what they would undo in silence is refused or told."""

import shlex

import pytest
from pydantic import ValidationError

from deeprc.launch import Layout, compose
from deeprc.launch.launchers.base import said, separated
from samples.sites import cluster

NVIDIA = {"accelerator": {"vendor": "nvidia", "model": "A100", "count": 4}, "sockets": 2}
PMI2 = [{"implementation": "mpich", "version": "4.2", "family": "mpich", "pmi": ["pmi2"]}]
UNSAID = [{"implementation": "mpich", "version": "4.2", "family": "mpich"}]


def planned(where, words, layout=Layout(4, 2, 1), comm="ccl"):  # noqa: B008
    words = shlex.split(words)
    own = {"launcher": {"launcher": {"name": "srun", "pmi": ["pmi2", "pmix"], "options": words}},
           "setting": {"settings": [{"launcher_options": words}]}}[where]  # fmt: skip
    network = {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}
    site = cluster(**{"mpi": PMI2, "partition": NVIDIA, "interconnect": network} | own)
    return compose(site, site.partition(), layout, ["run"], comm=comm)


@pytest.fixture(params=["launcher", "setting"])
def where(request):
    return request.param


@pytest.mark.parametrize("words", ["--distribution=block:cyclic", "--distribution cyclic", "-m cyclic", "-mcyclic"])
def test_a_distribution_of_the_sites_stands_alone_and_is_told(where, words):
    made = planned(where, words)
    assert not any("block:block" in word for word in made.launcher)
    assert made.launcher[-len(words.split()) :] == words.split()
    value = words.removeprefix("--distribution").removeprefix("-m").lstrip("= ")
    assert made.warnings == [
        f"--distribution={value} of the site's own options deals ranks out to sockets in turn: some use an accelerator"
        " of the other socket (block:block keeps each near its own)"
    ]
    assert planned(where, words, comm="mpi").warnings == []  # Slurm binds the near ones itself
    assert planned(where, words, Layout(1, 2, 1)).warnings == []


def test_a_distribution_by_blocks_is_right(where):
    made = planned(where, "--distribution=cyclic:block,Pack")
    assert made.warnings == [] and [word for word in made.launcher if "distribution" in word] == [
        "--distribution=cyclic:block,Pack"
    ]
    assert "--distribution=block:block" in planned(where, "--quiet").launcher


@pytest.mark.parametrize("words", ["--mpi=pmix", "--mpi pmix", "--mpi=pmix_v4", "--mpi=none"])
def test_another_pmi_than_that_of_the_ranks_is_refused(where, words):
    made = planned(where, words, Layout(4, 2))
    value = words.removeprefix("--mpi")[1:]
    assert (made.verdict, made.argv) == ("refuse", [])
    assert made.reason == (
        f"the site's own options of srun say --mpi={value}, and the ranks speak pmi2: each would be a world of its own"
    )
    assert made.fix == "leave --mpi out of them: it stands in every line"
    assert not planned(where, words, Layout(1, 2)).refused


def test_the_same_pmi_stands_once(where):
    made = planned(where, "--mpi=pmi2", Layout(4, 2))
    assert [word for word in made.launcher if "mpi" in word] == ["--mpi=pmi2"]


@pytest.mark.parametrize(
    "words", ["--gpu-bind=closest", "--gpus-per-task 4", "-G4", "--gres=gpu:1", "--gpus-per-node=4"]
)
@pytest.mark.parametrize("comm", ["mpi", "ccl", "both"])
def test_what_would_share_accelerators_in_silence_is_refused(where, words, comm):
    made = planned(where, words, comm=comm)
    assert made.refused and made.reason.endswith("which undoes what gives each rank an accelerator of its own")
    assert "gpu_binding" in made.fix
    assert not planned(where, words, Layout(4, 2), comm=comm).refused


LAYING = {
    "srun": [
        "-n 1",
        "-n1",
        "--ntasks=1",
        "--ntas 1",
        "-N1",
        "--ntasks-per-node=1",
        "-c1",
        "-r1",
        "-w n1",
        "--multi-prog",
    ],
    "mpirun-openmpi": [
        "-H n1",
        "--host n1",
        "--hostfile f",
        "-machinefile f",
        "-np 1",
        "-n 1",
        "--map-by core",
        "-N 1",
        "--pernode",
        "--rankfile f",
    ],
    "mpiexec-pals": ["--hosts n1", "--hostfile f", "-n 1", "--ppn 1", "--gpu-bind list:0:0"],
    "mpiexec-hydra": ["-n 1", "-ppn 1", "-f hosts", "-hosts n1,n2", "--hosts n1", "-machinefile f"],
    "mpirun-intelmpi": ["-f hosts", "-perhost 1"],
    "jsrun": ["-n 1", "-n1", "-r1", "-a 6", "-g 0", "--gpu_per_rs=0"],
    "ibrun": ["-n 1"],
}


@pytest.mark.parametrize(("name", "words"), [(name, each) for name, every in LAYING.items() for each in every])
def test_what_would_lay_ranks_out_otherwise_is_refused(name, words):
    site = cluster(launcher={"name": name, "options": shlex.split(words)}, mpi=UNSAID, partition={})
    made = compose(site, site.partition(), Layout(4, 2), ["run"])
    assert made.refused and made.argv == []
    assert made.reason.startswith(f"the site's own options of {name} say -")
    assert made.reason.endswith("which undoes where the plan has its ranks: what is said last counts, with exit code 0")
    assert made.fix == "leave it out of them: nodes, ranks, and cores of each stand in every line"


@pytest.mark.parametrize(
    ("name", "words"),
    [("srun", "--ntasks-per-core=1 --cpu-bind=none -e n1"), ("mpirun-openmpi", "-nooversubscribe"),
     ("mpiexec-pals", "--pmi=pmix --cpu-bind none"), ("mpiexec-hydra", "-launcher ssh")],
)  # fmt: skip
def test_other_options_of_the_sites_stay(name, words):
    site = cluster(launcher={"name": name, "options": shlex.split(words)}, mpi=UNSAID, partition={})
    made = compose(site, site.partition(), Layout(4, 2), ["run"])
    assert not made.refused and words in " ".join(made.launcher)


UNKNOWN = [
    ("srun", "--ntasks-per-cor=1", "--ntasks-per-core"),
    ("srun", "--het-group=0", None),
    ("srun", "--pty", None),
    ("srun", "--container-image=x", None),
    ("srun", "--exclude=n1", "--exclusive"),
    ("mpirun-openmpi", "--ppr:1:node", None),
    ("mpirun-openmpi", "-report-binding", "--report-bindings"),
    ("mpirun-openmpi", "--app file", None),
    ("mpiexec-hydra", "-gpus-per-proc=1", None),
    ("mpiexec-hydra", "-genvnone", "-genv"),
    ("mpiexec-pals", "--genvnone", "--genv"),
    ("mpirun-intelmpi", "-nolocal", "-l"),
    ("jsrun", "--env_no_propagate", None),
    ("ibrun", "-d", None),
]


@pytest.mark.parametrize(("name", "words", "near"), UNKNOWN)
def test_an_option_that_is_not_known_to_leave_ranks_as_planned_is_refused(name, words, near):
    site = cluster(launcher={"name": name, "options": shlex.split(words)}, mpi=UNSAID, partition={})
    made = compose(site, site.partition(), Layout(4, 2), ["run"])
    assert made.refused and made.reason == (
        f"the site's own options of {name} say {words.split()[0]}, of which is not known whether ranks, nodes and"
        " accelerators stay as planned"
    )
    assert made.fix.endswith("leave it out: nodes, ranks, cores and accelerators of each stand in every line")
    assert near is None or near in made.fix


@pytest.mark.parametrize(
    ("name", "words"),
    [("srun", "--quiet hostname"), ("mpirun-openmpi", "--mca pml ucx hostname"), ("mpiexec-hydra", "-launcher ssh x")],
)
def test_a_word_that_would_be_the_program_is_refused(name, words):
    site = cluster(launcher={"name": name, "options": shlex.split(words)}, mpi=UNSAID, partition={})
    made = compose(site, site.partition(), Layout(4, 2), ["run"])
    assert made.reason == (
        f"the site's own options of {name} say {words.split()[-1]}, which is no option: ranks would run it as their"
        " program"
    )


@pytest.mark.parametrize(
    ("name", "words", "variable"),
    [
        ("srun", "--export=ALL,CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES"),
        ("mpirun-openmpi", "-x ROCR_VISIBLE_DEVICES=0", "ROCR_VISIBLE_DEVICES"),
        ("mpirun-openmpi", "--mca rmaps_base_mapping_policy slot", "rmaps_base_mapping_policy"),
        ("mpirun-openmpi", "-mca orte_default_hostfile f", "orte_default_hostfile"),
        ("mpiexec-hydra", "-genv PMI_RANK 0", "PMI_RANK"),
        ("mpiexec-pals", "--env ZE_AFFINITY_MASK=0", "ZE_AFFINITY_MASK"),
        ("jsrun", "-E CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_one_value_for_what_each_rank_is_told_is_refused_in_options_too(name, words, variable):
    site = cluster(launcher={"name": name, "options": shlex.split(words)}, mpi=UNSAID, partition={})
    made = compose(site, site.partition(), Layout(4, 2), ["run"])
    assert made.refused and f"which sets {variable} for all ranks alike" in made.reason


@pytest.mark.parametrize("value", ["NONE", "NIL", "FOO=1", "PATH"])
def test_srun_that_passes_on_nothing_is_refused(where, value):
    """On Slurm 22.05 ranks had neither our variables nor PATH (tried)."""
    made = planned(where, f"--export={value}")
    assert made.refused and made.reason == (
        f"the site's own options of srun say --export={value}: ranks would get none of the plan's variables, nor PATH"
    )
    assert not planned(where, "--export=ALL,FOO=1").refused


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--export=NONE"], ["--export=ALL"]), (["--export FOO=1"], ["--export=ALL"]), (["--export=ALL"], []), ([], [])],
)
def test_steps_of_a_job_that_was_given_nothing_get_what_the_job_has(options, told):
    """`sbatch --export=NONE` sets SLURM_EXPORT_ENV, which srun heeds (tried on Slurm 22.05)."""
    site = cluster(scheduler={"name": "slurm", "options": options}, mpi=PMI2, partition=NVIDIA)
    made = compose(site, site.partition(), Layout(4, 2, 1), ["run"])
    assert [word for word in made.launcher if "export" in word] == told


@pytest.mark.parametrize("name", ["SLURM_EXPORT_ENV", "SRUN_EXPORT_ENV"])
def test_the_same_by_a_variable_is_refused(name):
    with pytest.raises(ValidationError, match=f"{name}=NONE keeps the plan's variables, and PATH, from ranks"):
        cluster(settings=[{"environment": {name: "NONE"}}])
    assert cluster(settings=[{"environment": {name: "ALL"}}])


@pytest.mark.parametrize(
    "name",
    ["OMPI_MCA_rmaps_base_mapping_policy", "OMPI_MCA_orte_default_hostfile", "PRTE_MCA_rmaps_default_mapping_policy",
     "I_MPI_PERHOST", "HYDRA_HOST_FILE", "I_MPI_HYDRA_HOST_FILE", "SLURM_HOSTFILE", "IBRUN_TASKS_PER_NODE"],
)  # fmt: skip
def test_variables_that_lay_ranks_out_otherwise_are_refused(name):
    with pytest.raises(ValidationError, match=f"{name} lays ranks out otherwise than the launch line says"):
        cluster(settings=[{"environment": {name: "1"}}])
    assert cluster(settings=[{"environment": {"OMPI_MCA_pml": "ucx", "OMPI_MCA_osc": "ucx", "I_MPI_PIN": "off"}}])


def test_pals_that_is_told_no_pmi_is_refused():
    site = cluster(launcher={"name": "mpiexec-pals", "options": ["--pmi=none"]}, mpi=UNSAID, partition={})
    assert compose(site, site.partition(), Layout(4, 2), ["run"]).reason == (
        "the site's own options of mpiexec-pals say --pmi=none: each rank would be a world of its own"
    )


def test_the_beginning_of_an_option_is_the_option():
    assert planned("launcher", "--gpu-bin=none").refused  # srun takes it (tried)
    assert said(["--gpus=3"], "--gpus-per-task", "--gpus") == "3" and said(["--n=1"], "--nodes") is None


def test_intel_mpi_is_told_to_heed_ranks_per_node():
    site = cluster(launcher={"name": "mpirun-intelmpi"}, partition={})
    made = compose(site, site.partition(), Layout(4, 2, 0, 2), ["run"])
    assert made.environment["I_MPI_JOB_RESPECT_PROCESS_PLACEMENT"] == "off"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--network x", "-m block:block", "--export=A=b c", "a b", "--mca", "--x  y z"],
         ["--network", "x", "-m", "block:block", "--export=A=b c", "a b", "--mca", "--x", "y z"]),
        ([], []),
    ],
)  # fmt: skip
def test_an_option_and_its_value_in_one_word_are_two(words, expected):
    assert separated(words) == expected


@pytest.mark.parametrize(
    ("words", "value"),
    [(["--mpi=a", "--mpi", "b"], "b"), (["--mpi"], ""), (["--mpix=a"], None), ([], None), (["x", "--mpi=a=b"], "a=b")],
)
def test_the_last_value_counts(words, value):
    assert said(words, "--mpi") == value
