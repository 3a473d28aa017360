"""What a site file must not take from ranks: the numbers and the accelerators that each is told as its own."""

import pytest

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from deeprc.sites.setting import Setting
from samples.sites import cluster

CPU = load_catalog().image("cpu")


@pytest.mark.parametrize(
    ("runtime", "word"),
    [
        ({"clean_environment": True}, "runtime.clean_environment"),
        ({"flags": ["--cleanenv"]}, "--cleanenv"),
        ({"flags": ["--nv -e"]}, "-e"),
        ({"flags": ["-ce"]}, "-ce"),
        ({"kind": "singularity", "flags": ["--containall"]}, "--containall"),
        ({"flags": ["-C"]}, "-C"),
    ],
)
def test_a_container_that_hides_the_launchers_variables_is_refused(runtime, word):
    site = cluster(runtime={"kind": "apptainer", **runtime})
    made = compose(site, site.partition(), Layout(4), ["run"], image=CPU)
    assert (made.verdict, made.argv) == ("refuse", [])
    assert made.reason == f"{word} keeps from containers what srun tells ranks: each would be a world of its own"
    assert not compose(site, site.partition(), Layout(1), ["run"], image=CPU).refused


def test_the_same_by_a_variable_of_a_setting():
    site = cluster(runtime={"kind": "apptainer"}, settings=[{"environment": {"APPTAINER_CLEANENV": 1}}])
    assert compose(site, site.partition(), Layout(4), ["run"], image=CPU).reason.startswith("APPTAINER_CLEANENV keeps")


@pytest.mark.parametrize("flags", [["--fakeroot"], ["--env A=e"], ["-c"], ["--contain"], ["-B /e:/C"]])
def test_other_flags_stay(flags):
    site = cluster(runtime={"kind": "apptainer", "flags": flags})
    assert not compose(site, site.partition(), Layout(4), ["run"], image=CPU).refused


@pytest.mark.parametrize("part", ["environment", "container"])
@pytest.mark.parametrize(
    "name",
    ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "PMI_RANK", "PMIX_RANK",
     "SLURM_LOCALID", "SLURM_PROCID", "SLURM_NTASKS", "PALS_LOCAL_RANKID", "OMPI_COMM_WORLD_LOCAL_RANK",
     "APPTAINERENV_CUDA_VISIBLE_DEVICES", "PMI_FD", "MPI_LOCALRANKID"],
)  # fmt: skip
def test_one_value_for_what_each_rank_is_told_is_refused(part, name):
    with pytest.raises(ValueError, match=f"{name} is told to each rank by its launcher"):
        Setting.model_validate({part: {name: "0"}})


@pytest.mark.parametrize(
    "name", ["NVIDIA_VISIBLE_DEVICES", "PMIX_MCA_gds", "SLURM_CPU_BIND", "PMI_MAX_KVS_ENTRIES", "OMP_NUM_THREADS"]
)
def test_other_variables_stay(name):
    assert Setting.model_validate({"environment": {name: "0"}}).environment == {name: "0"}


@pytest.mark.parametrize(
    ("kind", "flags", "variable"),
    [
        ("apptainer", ["--env", "ROCR_VISIBLE_DEVICES=0"], "ROCR_VISIBLE_DEVICES"),
        ("apptainer", ["--env=A=1,PMI_RANK=0"], "PMI_RANK"),
        ("podman-hpc", ["-e CUDA_VISIBLE_DEVICES=0"], "CUDA_VISIBLE_DEVICES"),
        ("shifter", ["--env=ZE_AFFINITY_MASK=0"], "ZE_AFFINITY_MASK"),
    ],
)
def test_one_value_for_all_ranks_by_a_flag_of_the_runtime_is_refused(kind, flags, variable):
    """All ranks would use the first accelerator, whatever the line before the container tells each."""
    site = cluster(runtime={"kind": kind, "flags": flags})
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu"))
    assert made.refused and f"which sets {variable} for all ranks alike" in made.reason
    other = cluster(runtime={"kind": kind, "flags": ["--env=HTTP_PROXY=x"]})
    assert not compose(other, other.partition(), Layout(4, 1), [], image=load_catalog().image("cpu")).refused
