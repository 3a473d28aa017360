"""No plan of several ranks is silent about ranks that would each be a world of its own, whatever the site says."""

from hypothesis import example, given
from hypothesis import strategies as st

from deeprc.images.catalog import load_catalog
from deeprc.launch import Layout, compose
from samples.sites import cluster

CATALOG = load_catalog()
PMI_OF = {"pspmix": "pmix", "orte": "pmix", "prrte": "pmix", "hydra": "pmi1"}
BY_NATURE = {"mpirun-openmpi": ["pmix"], "mpiexec-hydra": ["pmi1", "pmi2"], "mpirun-intelmpi": ["pmi1", "pmi2"]}
OWN_MPI = {"mpiexec-hydra": "mpich", "mpirun-intelmpi": "intel-mpi", "mpirun-openmpi": "openmpi"}
WORDS = st.lists(st.sampled_from(["pmi1", "pmi2", "pmix", "cray", "pals", "prrte"]), max_size=2, unique=True)
LAUNCHERS = st.sampled_from(["srun", "ibrun", "jsrun", "mpiexec-pals", *OWN_MPI])


NETWORK = {"fabric": "infiniband", "description": "HDR", "provider": "mlx5"}
# Open MPI 5 has PMIx only, and so has its own mpirun, whatever a site says of that.
FIVE = {
    "implementation": "openmpi",
    "family": "openmpi",
    "version": "5.0",
    "pmi": [],
    "bindable": False,
    "library": "/l",
}
ITS_OWN = {"program": "/opt/start", "name": "mpirun-openmpi", "pmi": ["pmi1"]}


@st.composite
def sites(draw):
    family, implementation = draw(
        st.sampled_from([("mpich", "mpich"), ("mpich", "intel-mpi"), ("mpich", "cray-mpich"), ("openmpi", "openmpi")])
    )
    host = {
        "implementation": implementation, "family": family, "version": draw(st.sampled_from(["3.4", "4.1", "5.0"])),
        "pmi": draw(WORDS), "bindable": draw(st.booleans()), "library": "/opt/mpi",
    }  # fmt: skip
    launcher = {"program": "/opt/start", "name": draw(LAUNCHERS), "pmi": draw(WORDS)}
    own = draw(
        st.none() | LAUNCHERS | st.fixed_dictionaries({"name": LAUNCHERS, "pmi": WORDS, "program": st.just("/x")})
    )
    if isinstance(own, str) and own == "mpiexec-hydra":
        own = {"name": own, "program": "/x"}
    return cluster(launcher=launcher, mpi=[host], partition={"launcher": own}, interconnect=NETWORK)


@example(site=cluster(launcher=ITS_OWN, mpi=[FIVE], partition={"launcher": None}, interconnect=NETWORK), image="cpu")
@given(site=sites(), image=st.sampled_from([None, "cpu", "cuda12-openmpi-ucx"]))
def test_no_plan_of_several_ranks_is_silent_about_worlds_of_one(site, image):
    """Said again without the code's own words: both speak the same, or the launcher is the MPI's own, or it is told."""
    chosen = image and CATALOG.image(image)
    made = compose(site, site.partition(), Layout(4, 1), ["run"], image=chosen)
    if made.refused or any("world of its own" in line for line in made.warnings):
        return
    mpi, own = site.mpi[0], site.partition().launcher
    there = own if own and not own.only_named else site.launcher
    name = own.name if own else there.name
    speaks = set(there.pmi) if there.name == name else set()
    speaks = speaks or set(BY_NATURE.get(name, ()))
    hosts = mpi.pmi or (["pmix"] if mpi.implementation == "openmpi" and mpi.version == "5.0" else [])
    inside = chosen.of_family(mpi.family).pmi if made.verdict == "hybrid" else hosts
    ranks = {PMI_OF.get(word, word) for word in inside}
    if name == "srun":  # it is told one that the ranks speak, and ends where it has no such plugin
        (told,) = [word.removeprefix("--mpi=") for word in made.launcher if word.startswith("--mpi=")]
        speaks = {{"none": "pmi1", "cray_shasta": "cray"}.get(told, told)}
    elif OWN_MPI.get(name) == mpi.implementation or (name == "ibrun" and not speaks):  # that MPI's own
        if made.verdict != "hybrid":
            return
        speaks |= set(hosts)
    common = {PMI_OF.get(word, word) for word in speaks} & ranks
    assert common or ("pmi2" in speaks and "pmi1" in ranks), (name, speaks, ranks)
