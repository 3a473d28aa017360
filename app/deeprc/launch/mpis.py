"""What is known to go wrong between launcher and ranks that speak the same PMI, without a word of error."""

from __future__ import annotations

from collections.abc import Collection

from deeprc.launch.pmi import CALLS, SPEAKS, starter
from deeprc.launch.verdict import Verdict, release
from deeprc.sites import Partition, Site

# By these PMIx in a container is told to do without Slurm's folder, and without MUNGE (apptainer#5195, pyxis#139).
PMIX_SETTINGS = ("PMIX_MCA_gds", "PMIX_MCA_psec", "PMIX_SECURITY_MODE")
INTEL = "I_MPI_PMI_LIBRARY"


def library_of_slurm(site: Site, partition: Partition, verdict: Verdict, *, contained: bool) -> tuple[dict, list]:
    """Intel MPI under `srun`: the variable that names Slurm's PMI library, and what is bound for it.

    Intel MPI's Developer Reference, and Slurm's mpi_guide.html: its own Hydra needs none, srun cannot do without.
    """
    path = verdict.mpi.pmi_library if _intel_under_srun(site, partition, verdict) else None
    return ({INTEL: path}, [f"{path}:{path}:ro"] if contained else []) if path else ({}, [])


def _intel_under_srun(site: Site, partition: Partition, verdict: Verdict) -> bool:
    own = verdict.mpi is not None and verdict.kind != "hybrid"
    return own and verdict.mpi.implementation == "intel-mpi" and starter(site, partition) == "srun"


def warnings(
    site: Site, partition: Partition, verdict: Verdict, *, ranks: int, contained: bool,
    variables: Collection[str], binds: Collection[str],
) -> list[str]:  # fmt: skip
    """What to know before several ranks start.

    Parameters
    ----------
    variables
        Names of those that the job and the container have.
    binds
        What the container sees of the host.
    """
    if ranks == 1:
        return []
    name, found = starter(site, partition), []
    if _intel_under_srun(site, partition, verdict) and INTEL not in variables and verdict.pmi != "pmix":
        found.append(
            f"Intel MPI finds Slurm's PMI by {INTEL} only: without mpi.pmi_library (the path of Slurm's libpmi2.so or"
            " libpmi.so), each rank may be a world of its own"
        )
    pmix = SPEAKS.get(verdict.pmi or "", verdict.pmi) == "pmix"
    brought = site.runtime.kind == "podman-hpc"  # by its module openmpi-pmix
    if contained and pmix and name == "srun" and not brought and not _told(variables, binds):
        found.append(
            "Slurm's PMIx wants its folder (SlurmdSpoolDir) and MUNGE in the container: bind them, or say PMIX_MCA_gds:"
            " hash and PMIX_MCA_psec: ^munge in a setting for pmi: [pmix]; or ranks may fail, or be worlds of one"
        )
    old = _old_mpirun(name, verdict)
    if old is not None and verdict.own is not None:
        found.append(
            f"{name} is of Open MPI {old[0]}, whose PMIx is of release {min(old[0] - 1, 3)}, and the image's"
            f" {verdict.own.title} has 4 or newer: whether the two understand each other, deeprc doctor says"
        )
    return found


def _told(variables: Collection[str], binds: Collection[str]) -> bool:
    """Whether the site has anything for PMIx in containers."""
    own = any(name.endswith(PMIX_SETTINGS) for name in variables)
    return own or any(("slurm" in path and "spool" in path) or "munge" in path for path in binds)


def _old_mpirun(name: str, verdict: Verdict) -> tuple[int, ...] | None:
    """The release of an Open MPI before 5 that starts an image's of 5 or newer (PMIx 2 with 3, 3 with 4, 4 with 5)."""
    host = verdict.mpi
    if verdict.kind != "hybrid" or host is None or host.implementation != "openmpi" or verdict.own is None:
        return None
    theirs, mine = release(host.version), release(verdict.own.version)
    starts = name == "mpirun-openmpi" or name in CALLS
    return theirs if starts and theirs and mine and theirs[0] < 5 <= mine[0] else None
