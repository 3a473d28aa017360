"""PMI: what launcher and ranks must both speak. Where they do not, each rank is a world of one, with exit code 0."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from deeprc.launch.launchers.hydra import of_host as mpiexec
from deeprc.sites import Partition, Site
from deeprc.sites.software import Mpi

if TYPE_CHECKING:
    from deeprc.launch.verdict import Verdict

# ParaStation's plugin of Slurm, and the daemons of Open MPI 4 and 5, speak PMIx.
SPEAKS = {"pspmix": "pmix", "orte": "pmix", "prrte": "pmix"}
# Launchers that come with an MPI: they start that one's ranks, whatever is said about them.
OWN = {
    "mpiexec-hydra": ("mpich", "mvapich"),
    "mpirun-intelmpi": ("intel-mpi",),
    "mpirun-openmpi": ("openmpi", "hpcx", "spectrum-mpi"),
}
# What such a launcher speaks by its nature, where the site file does not say it: Hydra PMI-1 and PMI-2, the daemons of
# Open MPI PMIx. Of all others, which depends on how they were built.
NATURE: dict[str, tuple[str, ...]] = {
    "mpiexec-hydra": ("pmi1", "pmi2"),
    "mpirun-intelmpi": ("pmi1", "pmi2"),
    "mpirun-openmpi": ("pmix",),
}
# Launchers that call the `mpiexec` of whichever MPI is loaded: they speak what that one speaks, unless the file says.
CALLS = ("ibrun",)


def of_image(spoken: Collection[str], offers: Sequence[str]) -> str | None:
    """The first of the launcher's words that an image's MPI understands."""
    return next((word for word in offers if SPEAKS.get(word, word) in spoken), None)


def starter(site: Site, partition: Partition) -> str:
    """The name of the launcher there."""
    return site.launcher_on(partition).name


def called(site: Site, partition: Partition) -> str:
    """The launcher there, and whose it is: `the host's srun`."""
    name = starter(site, partition)
    ours = name == "mpiexec-hydra" and mpiexec(site, partition) is None
    return f"{'Deep RC' if ours else 'the host'}'s {'own ' if ours else ''}{name}"


def able(name: str, words: Sequence[str]) -> list[str]:
    """Those of the words that a launcher of this name can speak at all: the file's word cannot give it another PMI."""
    nature = NATURE.get(name)
    return [word for word in words if nature is None or SPEAKS.get(word, word) in nature]


def known(site: Site, partition: Partition) -> list[str]:
    """What the launcher there speaks to ranks: as the site file says, else by its nature; empty where nobody knows."""
    there = site.launcher_on(partition)
    return list(there.pmi) or list(NATURE.get(there.name, ()))


def of_ranks(mpi: Mpi) -> list[str]:
    """What ranks of the host's MPI speak: as the site file says, else by their nature: Open MPI 5 has PMIx only."""
    if mpi.pmi or mpi.implementation != "openmpi":
        return list(mpi.pmi)
    major = (mpi.version or "").partition(".")[0]
    return ["pmix"] if major.isdigit() and int(major) >= 5 else []


def comes_with(site: Site, partition: Partition, mpi: Mpi) -> bool:
    """Whether the launcher there is that of this MPI."""
    there = site.launcher_on(partition)
    return mpi.implementation in OWN.get(there.name, ()) or (there.name in CALLS and not there.pmi)


def offered(site: Site, partition: Partition, mpi: Mpi) -> list[str]:
    """What ranks can be spoken to, the choice of the host's MPI first.

    The launcher of an MPI speaks what that MPI speaks; any other what the site file says of it, whichever MPI is there.
    """
    said, ranks = known(site, partition), of_ranks(mpi)
    words = able(starter(site, partition), said)
    own = comes_with(site, partition, mpi)
    first = [pmi for pmi in ranks if own or not said or pmi in words]
    return list(dict.fromkeys([*first, *words]))


def of_host(site: Site, partition: Partition, mpi: Mpi) -> str | None:
    """What the host's own MPI and the launcher speak, the MPI's choice first; None where that is not known."""
    words, ranks = offered(site, partition, mpi), of_ranks(mpi)
    if not ranks and mpi.implementation in OWN.get(starter(site, partition), ()):
        return words[0] if words else None
    answered = {own: [word for word in words if _same(own, word)] for own in ranks}
    if "pmi1" in answered and "pmi2" in words:
        answered["pmi1"].append("pmi2")  # Slurm's plugin pmi2 answers PMI-1 as well (src/plugins/mpi/pmi2/pmi1.c)
    return next((word for own in ranks for word in answered[own]), None)


def _same(own: str, word: str) -> bool:
    return SPEAKS.get(own, own) == SPEAKS.get(word, word)


def strangers(site: Site, partition: Partition, mpi: Mpi) -> bool:
    """Whether it is known that the launcher has nothing that the host's MPI speaks."""
    return bool(known(site, partition) and of_ranks(mpi)) and of_host(site, partition, mpi) is None


def both(site: Site, partition: Partition, ranks: str, spoken: Sequence[str]) -> str:
    """What launcher and ranks speak, for a refusal that names both."""
    name, said = starter(site, partition), known(site, partition)
    words = able(name, said) or list(NATURE.get(name, said))
    wrong = [word for word in said if word not in able(name, said)]
    never = f" (never {', '.join(wrong)}, as launcher.pmi says)" if wrong else ""
    offers = ", ".join(words) or "nobody says what"
    return f"{name} speaks {offers} to its ranks{never}, {ranks} {', '.join(spoken)}"


def doubts(site: Site, partition: Partition, verdict: Verdict, ranks: int) -> list[str]:
    """The message about ranks that may not speak the same protocol as their launcher.

    `srun` that is told a PMI refuses what it does not have: that is no silent world of one, and no doubt. And a
    facility's plain `srun` starts the facility's first MPI, if it speaks anything.
    """
    there, mpi = site.launcher_on(partition), verdict.mpi
    hybrid = verdict.kind == "hybrid"  # the image's own MPI: what that one speaks stands in the catalog
    plain = not hybrid and mpi is site.mpi[0] and there.default_pmi not in (None, "none")
    sure = (there.name == "srun" and (verdict.pmi or plain)) or (
        mpi and not hybrid and comes_with(site, partition, mpi)
    )
    if ranks == 1 or sure:
        return []
    named = f", as partition {partition.name} names it," if partition.launcher and there.only_named else ""
    unsaid = [] if known(site, partition) else [f"what {there.name}{named} speaks to its ranks (launcher.pmi)"]
    if mpi and not hybrid and not of_ranks(mpi):
        unsaid.append(f"what ranks of {mpi.title} speak (mpi.pmi)")
    alone = "srun offers no PMI by itself; " if there.name == "srun" and there.default_pmi == "none" else ""
    told = f"{alone}nobody says {', nor '.join(unsaid)}: each rank may be a world of its own, with exit code 0"
    return [f"{told} (deeprc doctor counts them)"] if unsaid else []
