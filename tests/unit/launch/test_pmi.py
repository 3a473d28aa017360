"""`srun` is told the PMI wherever it is known: for bind, hybrid and native, first in the list or not."""

import pytest

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from samples.sites import cluster

CRAY = {
    "implementation": "cray-mpich", "version": "8.1", "abi_version": "3.4", "family": "mpich", "library": "/opt/mpi",
}  # fmt: skip


def plan(*, srun=("cray", "pmi2", "pmix"), mpi=("cray",), image=None, ranks=4, **launcher):
    site = cluster(launcher={"name": "srun", "pmi": list(srun), **launcher}, mpi=[{**CRAY, "pmi": list(mpi)}])
    chosen = load_catalog().image(image) if image else None
    return compose(site, site.partition(), Layout(ranks, 1), ["run"], image=chosen)


def told(made) -> list[str]:
    return [word.removeprefix("--mpi=") for word in made.launcher if word.startswith("--mpi=")]


@pytest.mark.parametrize(
    ("srun", "mpi", "expected"),
    [
        (["cray", "pmi2"], ["cray"], "cray_shasta"),
        (["pmi2", "cray"], ["cray"], "cray_shasta"),  # the list has no order
        (["cray", "pmi2", "pmix"], ["pmix"], "pmix"),
        (["pmix", "pmi2"], ["pmi2", "pmix"], "pmi2"),  # the MPI's choice is first
        (["pspmix"], ["pmix"], "pspmix"),
        (["pmi2"], ["pmi1"], "pmi2"),  # Slurm's pmi2 answers PMI-1
        (["pmi1", "pmi2"], ["pmi1"], "none"),
        ([], ["pmi2"], "pmi2"),  # what srun has is not known, what the MPI wants is
    ],
)
@pytest.mark.parametrize("image", [None, "rocm6-mpich-ofi"], ids=["native", "bind"])
def test_the_pmi_of_the_hosts_mpi(srun, mpi, expected, image):
    made = plan(srun=srun, mpi=mpi, image=image)
    assert (made.verdict, told(made)) == ("bind", [expected])


@pytest.mark.parametrize("srun", [["pmi2", "cray"], ["cray", "pmi2"]], ids=["first", "not-first"])
def test_the_pmi_of_an_image(srun):
    made = plan(srun=srun, image="cpu-mpich")
    assert (made.verdict, told(made)) == ("hybrid", ["pmi2"])


def test_srun_has_nothing_that_the_ranks_speak():
    made = plan(srun=["pmi2"], mpi=["pmix"])
    assert made.refused
    assert made.reason == (
        "srun speaks pmi2 to its ranks, the host's cray-mpich 8.1 pmix: each would be a world of its own"
    )
    assert not plan(srun=["pmi2"], mpi=["pmix"], ranks=1).refused
    bound = plan(srun=["pmi2"], mpi=["pmix"], image="rocm6-mpich-ofi")
    assert "cannot be bound in (it speaks pmix, srun pmi2)" in bound.reason


def test_no_pmi_by_default_and_none_known_is_told():
    assert "srun offers no PMI by itself" in plan(mpi=[], default_pmi="none").warnings[0]
    assert plan(mpi=[], default_pmi="cray").warnings == plan(default_pmi="none").warnings == []


def test_settings_for_pmix_only():
    """Slurm's PMIx needs its spool folder or the component hash; MUNGE does not answer in every container."""
    mpi = {"implementation": "openmpi", "version": "5.0", "family": "openmpi", "pmi": ["pmix"], "bindable": False}
    needs = {"when": {"pmi": ["pmix"]}, "container": {"PMIX_MCA_gds": "hash", "PMIX_MCA_psec": "^munge"}}
    site = cluster(launcher={"name": "srun", "pmi": ["pmi2", "pmix"]}, mpi=[mpi], settings=[needs])
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu-openmpi"))
    assert (told(made), made.environment["APPTAINERENV_PMIX_MCA_gds"]) == (["pmix"], "hash")
    other = cluster(settings=[needs])
    made = compose(other, other.partition(), Layout(4, 1), ["run"], image=load_catalog().image("cpu-mpich"))
    assert "APPTAINERENV_PMIX_MCA_gds" not in made.environment
