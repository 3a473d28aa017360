"""HPE Slingshot: what a task needs of the network beside its variables, and what will probably go wrong there."""

from __future__ import annotations

from deeprc.launch.conditions import Gathered
from deeprc.launch.launchers import Launcher, Layout
from deeprc.launch.verdict import Verdict
from deeprc.sites import Site
from deeprc.sites.setting import RENDEZVOUS


def options(site: Site, starter: Launcher, layout: Layout, verdict: Verdict) -> list[str]:
    """A step of one node has no VNI unless it asks for one, and an MPI over libfabric's cxi does not start without
    (open-mpi/ompi#13148). Cray MPICH does.
    """
    alone = layout.nodes == 1 and layout.ranks > 1 and starter.name == "srun"
    if site.interconnect.fabric != "slingshot" or not alone:
        return []
    if verdict.kind == "hybrid":
        wanted = bool({"ofi", "cxi"} & set(verdict.own.fabrics))
    else:
        wanted = verdict.mpi is not None and verdict.mpi.implementation in ("openmpi", "mpich")
    return ["--network=single_node_vni"] if wanted else []


def warnings(site: Site, starter: Launcher, layout: Layout, gathered: Gathered) -> list[str]:
    """What nobody can know before, and what is known to go wrong."""
    if site.interconnect.fabric != "slingshot" or layout.ranks == 1:
        return []
    found = []
    chosen = "alt_read" in (gathered.environment.get(RENDEZVOUS), gathered.container.get(RENDEZVOUS))
    off = any("disable_rdzv_get" in word for word in [*gathered.launcher_options, *gathered.scheduler_options])
    if chosen and not off and site.interconnect.rdzv_get != "off":
        found.append(
            f"{RENDEZVOUS}=alt_read hangs or fails unless rendezvous gets are switched off: --network=disable_rdzv_get,"
            " or interconnect.rdzv_get: off in the site file, if the system has them off"
        )
    if starter.name == "mpirun-openmpi":
        found.append("mpirun gets its ranks no VNI, so that Slingshot may refuse them (openpmix/prrte#2004): srun does")
    return found
