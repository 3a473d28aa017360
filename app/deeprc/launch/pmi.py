"""PMI: what launcher and ranks must both speak. Where they do not, each rank is a world of one, with exit code 0."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from deeprc.sites import Partition, Site
from deeprc.sites.software import Mpi

# ParaStation's plugin of Slurm, and the daemons of Open MPI 4 and 5, speak PMIx.
SPEAKS = {"pspmix": "pmix", "orte": "pmix", "prrte": "pmix"}
# Launchers that come with an MPI: they start that one's ranks, whatever is said of them.
OWN = {
    "mpiexec-hydra": ("mpich", "mvapich"),
    "mpirun-intelmpi": ("intel-mpi",),
    "mpirun-openmpi": ("openmpi", "hpcx", "spectrum-mpi"),
}


def of_image(spoken: Collection[str], offers: Sequence[str]) -> str | None:
    """The first of the launcher's words that an image's MPI understands."""
    return next((word for word in offers if SPEAKS.get(word, word) in spoken), None)


def offered(site: Site, partition: Partition, mpi: Mpi) -> list[str]:
    """What ranks can be spoken to, the choice of the host's MPI first.

    The launcher of an MPI speaks what that MPI speaks; any other what the site file says of it, whichever MPI is there.
    """
    known = site.launcher.pmi
    own = mpi.implementation in OWN.get(starter(site, partition), ())
    first = [pmi for pmi in mpi.pmi if own or not known or pmi in known]
    return list(dict.fromkeys([*first, *known]))


def starter(site: Site, partition: Partition) -> str:
    """The name of the launcher there."""
    return partition.launcher or site.launcher.name


def of_host(site: Site, partition: Partition, mpi: Mpi) -> str | None:
    """What the host's own MPI and the launcher speak, the MPI's choice first; None where that is not known."""
    words = offered(site, partition, mpi)
    answered = {own: [word for word in words if _same(own, word)] for own in mpi.pmi}
    if "pmi1" in answered and "pmi2" in words:
        answered["pmi1"].append("pmi2")  # Slurm's plugin pmi2 answers PMI-1 as well (src/plugins/mpi/pmi2/pmi1.c)
    return next((word for own in mpi.pmi for word in answered[own]), None)


def _same(own: str, word: str) -> bool:
    return SPEAKS.get(own, own) == SPEAKS.get(word, word)


def strangers(site: Site, partition: Partition, mpi: Mpi) -> bool:
    """Whether it is known that the launcher has nothing that the host's MPI speaks."""
    return bool(site.launcher.pmi and mpi.pmi) and of_host(site, partition, mpi) is None


def both(site: Site, partition: Partition, ranks: str, spoken: Sequence[str]) -> str:
    """What launcher and ranks speak, for a refusal that names both."""
    offers = ", ".join(site.launcher.pmi) or "nobody says what"
    return f"{starter(site, partition)} speaks {offers} to its ranks, {ranks} {', '.join(spoken)}"


def doubts(site: Site, partition: Partition, pmi: str | None, ranks: int) -> list[str]:
    """What is said of ranks that `srun` is not told the PMI of."""
    if pmi or ranks == 1 or starter(site, partition) != "srun" or site.launcher.default_pmi != "none":
        return []
    unknown = "nothing says which one the ranks speak (launcher.pmi, mpi.pmi)"
    return [f"srun offers no PMI by itself, and {unknown}: each may be a world of its own"]
