"""What goes wrong between MPIs that speak the same PMI, and what is set or told for it."""

import pytest
from pydantic import ValidationError

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from samples.sites import cluster

NETWORK = {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}
INTEL = {"implementation": "intel-mpi", "version": "2021.9", "family": "mpich", "pmi": ["pmi2"], "library": "/opt/impi"}
OPENMPI = {"implementation": "openmpi", "version": "4.1.6", "family": "openmpi", "pmi": ["pmix"], "bindable": False}
PATH = "/usr/lib64/libpmi2.so"


def plan(launcher, mpi, image=None, ranks=4, **more):
    site = cluster(launcher=launcher, mpi=[mpi], **{"interconnect": NETWORK} | more)
    return compose(site, site.partition(), Layout(ranks, 1), ["run"], image=image and load_catalog().image(image))


SRUN = {"name": "srun", "pmi": ["pmi2", "pmix"]}


def test_intel_mpi_is_told_where_slurms_pmi_is():
    made = plan(SRUN, {**INTEL, "pmi_library": PATH})
    assert made.environment["I_MPI_PMI_LIBRARY"] == PATH and made.binds == [] and made.warnings == []
    bound = plan(SRUN, {**INTEL, "abi_version": "4.0", "pmi_library": PATH}, "rocm6-mpich-ofi")
    assert bound.verdict == "bind" and f"{PATH}:{PATH}:ro" in bound.binds
    assert bound.environment["I_MPI_PMI_LIBRARY"] == PATH
    own = plan({"name": "mpirun-intelmpi", "pmi": ["pmi2"]}, {**INTEL, "pmi_library": PATH})
    assert "I_MPI_PMI_LIBRARY" not in own.environment  # its Hydra says that it ignores it


def test_intel_mpi_that_nobody_tells_is_a_warning():
    told = [
        "Intel MPI finds Slurm's PMI by I_MPI_PMI_LIBRARY only: without mpi.pmi_library (the path of Slurm's libpmi2.so"
        " or libpmi.so), each rank may be a world of its own"
    ]
    assert plan(SRUN, INTEL).warnings == told
    assert plan(SRUN, INTEL, ranks=1).warnings == []
    assert plan(SRUN, INTEL, settings=[{"environment": {"I_MPI_PMI_LIBRARY": PATH}}]).warnings == []
    assert plan(SRUN, {**INTEL, "pmi": ["pmix"]}).warnings == []


def test_the_path_is_a_fact_of_intel_mpi():
    with pytest.raises(ValidationError, match="pmi_library is a fact of intel-mpi, not of openmpi"):
        cluster(mpi=[{**OPENMPI, "pmi_library": PATH}])


SLURMS = (
    "Slurm's PMIx wants its folder (SlurmdSpoolDir) and MUNGE in the container: bind them, or say PMIX_MCA_gds: hash"
    " and PMIX_MCA_psec: ^munge in a setting for pmi: [pmix]; or ranks may fail, or be worlds of one"
)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, [SLURMS]),
        ({"settings": [{"when": {"pmi": ["pmix"]}, "container": {"PMIX_MCA_gds": "hash"}}]}, []),
        ({"settings": [{"environment": {"PMIX_SECURITY_MODE": "native"}}]}, []),
        ({"settings": [{"environment": {"APPTAINERENV_PMIX_MCA_psec": "^munge"}}]}, []),
        ({"binds": {"paths": ["/var/spool/slurmd"]}}, []),
        ({"binds": {"paths": ["/run/munge"]}}, []),
        ({"binds": {"paths": ["/scratch"]}}, [SLURMS]),
        ({"runtime": {"kind": "podman-hpc"}}, []),
    ],
)
def test_slurms_pmix_in_a_container_without_anything_for_it_is_a_warning(more, told):
    assert plan(SRUN, {**OPENMPI, "version": "5.0"}, "cpu", **more).warnings == told


def test_other_pmi_and_no_container_are_none():
    assert plan(SRUN, OPENMPI).warnings == []
    assert plan(SRUN, {**INTEL, "implementation": "mpich", "version": "3.4", "bindable": False}, "cpu").warnings == []
    assert plan({"name": "mpirun-openmpi"}, {**OPENMPI, "version": "5.0"}, "cpu").warnings == []
    assert plan(SRUN, {**OPENMPI, "version": "5.0"}, "cpu", ranks=1).warnings == []


@pytest.mark.parametrize(("version", "pmix"), [("3.1.4", 2), ("4.0.6", 3), ("4.1", 3), ("5.0", None), (None, None)])
@pytest.mark.parametrize("launcher", ["mpirun-openmpi", "ibrun"])
def test_an_mpirun_of_before_5_that_starts_an_image_of_5_is_a_warning(launcher, version, pmix):
    speaks = {} if launcher == "ibrun" else {"pmi": ["orte"]}
    made = plan({"name": launcher, **speaks}, {**OPENMPI, "version": version}, "cpu")
    told = [line for line in made.warnings if "nobody says what ibrun speaks" not in line]
    assert made.verdict == "hybrid" and told == (
        [
            f"{launcher} is of Open MPI {version[0]}, whose PMIx is of release {pmix}, and the image's openmpi 5.0.11"
            " has 4 or newer: whether the two understand each other, deeprc doctor says"
        ]
        if pmix
        else []
    )
