"""PMI: what launcher and ranks must both speak. Where they do not, each rank is a world of one, with exit code 0."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from deeprc.sites import Partition, Site
from deeprc.sites.software import Mpi

SPEAKS = {"pspmix": "pmix", "orte": "pmix"}  # ParaStation's plugin of Slurm, and Open MPI 4, speak PMIx


def of_image(spoken: Collection[str], offers: Sequence[str]) -> str | None:
    """The first of the launcher's words that an image's MPI understands."""
    return next((word for word in offers if SPEAKS.get(word, word) in spoken), None)


def offered(site: Site, partition: Partition, mpi: Mpi) -> list[str]:
    """What ranks can be spoken to, the choice of the host's MPI first.

    The launcher of an MPI speaks what that MPI speaks; `srun` what its plugins do, whichever MPI is there.
    """
    known = site.launcher.pmi
    first = [pmi for pmi in mpi.pmi if not (by_srun(site, partition) and known) or pmi in known]
    return list(dict.fromkeys([*first, *known]))


def by_srun(site: Site, partition: Partition) -> bool:
    """Whether Slurm's own launcher starts the ranks: it is told the PMI, and has one whatever the MPI is."""
    return (partition.launcher or site.launcher.name) == "srun"


def of_host(site: Site, partition: Partition, mpi: Mpi) -> str | None:
    """What the host's own MPI and the launcher speak, the MPI's choice first; None where that is not known."""
    words = offered(site, partition, mpi)
    answered = {own: [word for word in words if own in (word, SPEAKS.get(word))] for own in mpi.pmi}
    if "pmi1" in answered and "pmi2" in words:
        answered["pmi1"].append("pmi2")  # Slurm's plugin pmi2 answers PMI-1 as well (src/plugins/mpi/pmi2/pmi1.c)
    return next((word for own in mpi.pmi for word in answered[own]), None)


def strangers(site: Site, partition: Partition, mpi: Mpi) -> bool:
    """Whether it is known that `srun` has nothing that the host's MPI speaks."""
    known = by_srun(site, partition) and site.launcher.pmi and mpi.pmi
    return bool(known) and of_host(site, partition, mpi) is None


def doubts(site: Site, partition: Partition, pmi: str | None, ranks: int) -> list[str]:
    """What is said of ranks that `srun` is not told the PMI of."""
    if pmi or ranks == 1 or not by_srun(site, partition) or site.launcher.default_pmi != "none":
        return []
    unknown = "nothing says which one the ranks speak (launcher.pmi, mpi.pmi)"
    return [f"srun offers no PMI by itself, and {unknown}: each may be a world of its own"]
